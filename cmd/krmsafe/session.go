package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/sandbox"
	"github.com/krmsafe/krmsafe/verify"
)

// judgeFlags are the flags of every verb that runs functions: whom to trust, by
// which policy to judge, how to run and how to tell of it. They name neither a
// module nor what it is run on.
type judgeFlags struct {
	originFlags
	policy  policyFlags
	sandbox sandboxFlags
	cache   compileCacheFlags
	report  reportFlags
	audit   auditFlags
	lock    lockedFlags
	mode    string
	failOn  string
	twice   bool
	lower   policy.Limits
}

func (f *judgeFlags) register(cmd *cobra.Command) {
	f.originFlags.register(cmd)
	f.policy.register(cmd)
	f.sandbox.register(cmd)
	f.cache.register(cmd)
	f.report.register(cmd)
	f.audit.register(cmd)
	f.lock.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.mode, "mode", string(pipeline.ModeEnforce), "enforce, or warn: report what the policy refuses and go on; lowers safety")
	flags.StringVar(&f.failOn, "fail-on", krm.SeverityError, "refuse the output on results of this severity or above: error, warning, info or never")
	flags.BoolVar(&f.twice, "check-determinism", false, "run the function twice and refuse it if its runs differ")
	registerLimits(cmd, &f.lower)
}

// registerLimits adds the flags that lower the policy's limits.
func registerLimits(cmd *cobra.Command, l *policy.Limits) {
	flags := cmd.Flags()
	flags.DurationVar(&l.Timeout, "timeout", 0, "lower the policy's time limit")
	flags.DurationVar(&l.CompileTimeout, "compile-timeout", 0, "lower the policy's limit on the time spent compiling")
	flags.Uint32Var(&l.MemoryPages, "memory-pages", 0, "lower the policy's memory limit, in pages of 64 KiB")
	flags.Uint64Var(&l.Fuel, "fuel", 0, "lower the policy's fuel limit, in units of fuel/v1")
	flags.Uint32Var(&l.TableElements, "table-elements", 0, "lower the policy's limit on the entries of all tables")
	flags.Uint32Var(&l.CallDepth, "call-depth", 0, "lower the policy's limit on nested calls")
	flags.Int64Var(&l.CompileBytes, "compile-bytes", 0, "lower the policy's limit on the memory for compiling, in bytes")
	flags.Int64Var(&l.OutputBytes, "output-bytes", 0, "lower the policy's limit on the function's output, in bytes")
	flags.Int64Var(&l.StderrBytes, "stderr-bytes", 0, "lower the policy's limit on the function's standard error, in bytes")
}

// check refuses words that no flag takes.
func (f *judgeFlags) check() error {
	if err := oneOf("--mode", f.mode, string(pipeline.ModeEnforce), string(pipeline.ModeWarn)); err != nil {
		return err
	}
	return oneOf("--fail-on", f.failOn, krm.SeverityError, krm.SeverityWarning, krm.SeverityInfo, pipeline.FailNever)
}

// lowered are the flags that lower safety and that the pipeline has no other way
// to know: the policy sees them.
func (f *judgeFlags) lowered() policy.Flags {
	rule := f.trust.rule
	return policy.Flags{
		PermissivePolicy: f.policy.permissive, InsecureIgnoreTLog: rule.InsecureIgnoreTLog, InsecureIgnoreSCT: rule.InsecureIgnoreSCT,
	}
}

// A session judges and runs any number of functions in one process: they share
// one policy, one verifier, one lock, one sandbox, and a registry client for each
// of the two parties that name modules. It may be used by several goroutines at
// once, and must be closed.
type session struct {
	app     *app
	flags   judgeFlags
	box     *sandbox.Sandbox // nil where nothing is to run
	cache   *sandbox.Cache   // nil where compiled code is not kept
	warning *sandbox.CacheError
	loading *policyLoad

	mu        sync.Mutex
	judged    *judges // nil until the first pipeline
	pipelines map[bool]*pipeline.Pipeline
}

// judges are what all pipelines of a session share.
type judges struct {
	mirrors  []verify.Mirror
	verifier *verify.Verifier // nil where nobody is trusted
	code     *verify.CodeVerifier
	lock     *pipeline.Lock // nil without --frozen
	bundles  []verify.Evidence
}

// open begins a session. The sandbox's child starts and the policy is loaded
// while the caller goes on, such as with waiting for whoever writes the input:
// what is wrong with either is told by the first run, or by ready.
func (a *app) open(ctx context.Context, f judgeFlags) (*session, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	cache, warning, err := f.cache.open()
	if err != nil {
		return nil, err
	}
	cfg := f.sandbox.config()
	cfg.Cache = cache
	box, err := sandbox.New(cfg)
	if err != nil {
		return nil, &pipeline.UsageError{Message: err.Error()}
	}
	go box.Ahead(ctx)
	s := a.openWith(ctx, f, box)
	s.cache, s.warning = cache, warning
	return s, nil
}

// openWith begins a session that runs in box, which it closes, or that decides and
// runs nothing where box is nil: its policy allows nothing.
func (a *app) openWith(ctx context.Context, f judgeFlags, box *sandbox.Sandbox) *session {
	s := &session{app: a, flags: f, box: box, pipelines: map[bool]*pipeline.Pipeline{}}
	registry := f.registry // as the operator set it: the policy is the operator's
	s.flags.policy.fetch = fetcher(ctx, func() (*oci.Client, error) { return registry.client(a, nil) })
	if s.loading = unasked(); box != nil {
		s.loading = s.flags.policy.start(ctx, f.sandbox.jail)
	}
	return s
}

// close gives up what the session holds.
func (s *session) close() {
	s.loading.close()
	if s.box != nil {
		_ = s.box.Close()
	}
	if s.cache != nil {
		_ = s.cache.Close()
	}
}

// ready waits for what open began and reads what the flags name, so that a
// mistake in them is told before any function is looked at.
func (s *session) ready() error {
	_, err := s.pipeline(false)
	return err
}

// run judges and runs one function. Where the request does not say that the
// operator named the module, registries at private addresses are refused: whoever
// writes a functionConfig must not reach into the network that krmsafe runs in. The
// request's FailOn, Lower, CheckDeterminism and Bundles are the flags' where they
// are not set. A panic is an error like others.
func (s *session) run(ctx context.Context, req pipeline.Request) (rep *pipeline.Report, err error) {
	defer contain(func(cause error) { rep, err = nil, cause })
	p, err := s.pipeline(req.NamedBy != pipeline.NamedByFlag)
	if err != nil {
		return nil, err
	}
	return p.Run(ctx, s.complete(req))
}

// complete gives a request the flags' settings where it has none of its own.
func (s *session) complete(req pipeline.Request) pipeline.Request {
	if req.FailOn == "" {
		req.FailOn = s.flags.failOn
	}
	if req.Lower == (policy.Limits{}) {
		req.Lower = s.flags.lower
	}
	if req.Bundles == nil {
		req.Bundles = s.judged.bundles
	}
	req.CheckDeterminism = req.CheckDeterminism || s.flags.twice
	return req
}

// decide judges one function as run does, without running it.
func (s *session) decide(ctx context.Context, req pipeline.Request) (rep *pipeline.Report, err error) {
	defer contain(func(cause error) { rep, err = nil, cause })
	p, err := s.pipeline(req.NamedBy != pipeline.NamedByFlag)
	if err != nil {
		return nil, err
	}
	return p.Decide(ctx, s.complete(req))
}

// prefetch looks into a module ahead of the run that asks for it. What is wrong
// with it is told by that run.
func (s *session) prefetch(ctx context.Context, req pipeline.Request) {
	defer contain(func(error) {})
	p, err := s.pipeline(req.NamedBy != pipeline.NamedByFlag)
	if err != nil {
		return
	}
	p.Prefetch(ctx, []pipeline.Request{s.complete(req)})
}

// contain makes an error of a panic; it is deferred.
func contain(set func(error)) {
	if cause := recover(); cause != nil {
		set(fmt.Errorf("%w: %v", errBug, cause))
	}
}

// pipeline puts together what the flags name, once for each kind of registry
// client.
func (s *session) pipeline(publicOnly bool) (*pipeline.Pipeline, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.pipelines[publicOnly]; p != nil {
		return p, nil
	}
	if s.judged == nil {
		j, err := s.flags.judges()
		if err != nil {
			return nil, err
		}
		s.judged = j
	}
	registry := s.flags.registry
	registry.publicOnly = publicOnly
	client, err := registry.client(s.app, s.judged.mirrors)
	if err != nil {
		return nil, err
	}
	rego, err := s.loading.wait()
	if err != nil {
		return nil, err
	}
	f := &s.flags
	p, err := pipeline.New(pipeline.Config{
		Registry: client, Verifier: s.judged.verifier, AllowUnsigned: f.allowUnsigned, Lock: s.judged.lock, Policy: rego.policy, PolicyName: rego.name,
		Sandbox: s.box, Runtime: runtimeFacts(f.sandbox.engine, f.sandbox.jail), Date: today(), KRM: krm.DefaultLimits(),
		Mode: pipeline.Mode(f.mode), Random: rand.Reader, Flags: f.lowered(), CacheWarning: s.warning, CodeVerifier: s.judged.code,
	})
	if err != nil {
		return nil, err
	}
	s.pipelines[publicOnly] = p
	return p, nil
}

// judges reads whom the flags trust, and what they hold a run to.
func (f *judgeFlags) judges() (*judges, error) {
	bundles, err := f.trust.readBundles()
	if err != nil {
		return nil, err
	}
	mirrors, verifier, code, err := f.verifier()
	if err != nil {
		return nil, err
	}
	lock, err := f.lock.read()
	return &judges{mirrors: mirrors, verifier: verifier, code: code, lock: lock, bundles: bundles}, err
}
