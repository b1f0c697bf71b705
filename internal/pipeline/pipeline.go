// Package pipeline is the spine of krmsafe: the only place that knows the order
// in which a function is judged. A module is fetched, its signature verified,
// its bytes inspected, a policy asked; only then does it run, and only what
// passes the last check leaves.
//
//	fetch → verify → inspect → decide → run → check → emit
//
// A function sees what both the policy and the request let it see, with
// placeholders in place of Secrets; what it returns passes a gate that no policy
// opens, gets the real values back where each placeholder still stands at its
// own place, and is compared with the input field by field; the policy then
// judges the changes. See package krm for the gate and package policy for both
// judgements.
//
// It knows the rooms that do each of these and nothing of how they do it; it
// does not know how a report is shown, where a policy came from, or flags.
//
// A refusal is a value: Run returns a Report whose Outcome says at which stage
// and why, and whose Emit is nil. An error means that krmsafe could not judge.
// On both roads nothing of the function's output leaves.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/sandbox"
	"github.com/krmsafe/krmsafe/verify"
)

// A Config says with what a Pipeline judges. It is checked by New and not
// changed after.
type Config struct {
	// Registry fetches images. It must not be nil.
	Registry *oci.Client
	// Verifier says who signed an image. Where it is nil nobody is trusted,
	// every image counts as unsigned, and AllowUnsigned alone lets it go on
	// to the policy.
	Verifier *verify.Verifier
	// AllowUnsigned lets a module that nobody signed go on to the policy, which
	// sees that it was allowed and may still refuse. It is right for a module
	// that its user just built. Together with a Verifier it is an error: a
	// signature is either demanded or it is not.
	AllowUnsigned bool
	// Lock refuses what it does not pin, or what differs from it; nil locks
	// nothing.
	Lock *Lock
	// Policy decides. It must not be nil. PolicyName is what reports call it.
	Policy     *policy.Policy
	PolicyName string
	// Sandbox runs what was allowed. It must not be nil for Run.
	Sandbox *sandbox.Sandbox
	// Flags are what else the operator asked for that lowers safety, for the
	// policy to see: PermissivePolicy, InsecureIgnoreTLog, InsecureIgnoreSCT.
	// The other flags follow from AllowUnsigned, Runtime and Mode.
	Flags policy.Flags
	// CodeVerifier says who may have signed compiled code in a registry; nil takes
	// none from there.
	CodeVerifier *verify.CodeVerifier
	// CacheWarning is why the Sandbox has no Cache though one was to be had, for
	// reports to tell; nil says nothing.
	CacheWarning *sandbox.CacheError
	// Runtime is what the policy is told of the place where the module runs.
	Runtime policy.Runtime
	// Date is the day of the run in UTC, YYYY-MM-DD, for dated exceptions in
	// a policy; empty gives the policy no date.
	Date string
	// KRM bounds the function's output when it is read back.
	KRM krm.Limits
	// Mode says what becomes of a policy's refusal; the zero Mode enforces.
	Mode Mode
	// Random makes the placeholders of Secrets; it must not be predictable, so
	// it is crypto/rand's Reader outside of tests. It must not be nil for Run.
	Random io.Reader
}

// A Pipeline judges and runs functions. It may be used by several goroutines
// at once. It keeps every module that it has judged, at most 64 MiB each, until
// nobody holds the Pipeline any more.
type Pipeline struct {
	cfg Config

	mu    sync.Mutex
	found map[string]*finding
}

// New checks cfg.
func New(cfg Config) (*Pipeline, error) {
	switch {
	case cfg.Registry == nil:
		return nil, errors.New("pipeline: no registry client")
	case cfg.Policy == nil:
		return nil, errors.New("pipeline: no policy")
	case cfg.KRM == (krm.Limits{}):
		return nil, errors.New("pipeline: no limits for the output")
	case cfg.Mode != "" && cfg.Mode != ModeEnforce && cfg.Mode != ModeWarn:
		return nil, usagef("use enforce or warn", "unknown mode %q", cfg.Mode)
	case cfg.Verifier != nil && cfg.AllowUnsigned:
		return nil, usagef("leave one of them out",
			"--allow-unsigned contradicts a trusted key: an image is either verified or it is not")
	}
	if cfg.Mode == "" {
		cfg.Mode = ModeEnforce
	}
	return &Pipeline{cfg: cfg, found: map[string]*finding{}}, nil
}

// A Request names one module and what it is to be run on. Exactly one of Image
// and File is set.
type Request struct {
	// Image is a reference as oci.ParseRef reads it.
	Image string
	// File is the path of a module on disk.
	File string
	// Name is what a module on disk, a File or an OCI layout, is called in rules,
	// locks, policies and reports; it is not read. Empty is what File or Image says.
	// It is in the form of the one that it stands for.
	Name string
	// Module holds the module itself. File is then only what it is called, and
	// is not read. The bytes must not be changed any more.
	Module []byte
	// Bundles is evidence about the module that the operator named, beside what
	// is attached to an image. It is trusted no more than that.
	Bundles []verify.Evidence
	// Expect refuses a module that is not what it says; nil expects nothing.
	Expect *Expectation
	// NamedBy says who chose the module: NamedByFlag where the operator did.
	// Empty is NamedByFunctionConfig: whoever writes the package did.
	NamedBy string
	// Input is what the function reads, its functionConfig included.
	Input *krm.ResourceList
	// Lower holds limits that are lower than the policy's; zero fields leave
	// the policy's in force. A limit above the policy's is a UsageError.
	Lower policy.Limits
	// FailOn is the severity from which on a result refuses the output:
	// "error", "warning", "info", or "never".
	FailOn string
	// CheckDeterminism runs the function twice and refuses one whose runs
	// differ in output, standard error or fuel.
	CheckDeterminism bool
	// Role is what the function is for: policy.RoleTransformer, RoleGenerator
	// or RoleValidator. Empty is a transformer.
	Role string
	// View narrows what the function sees; the policy narrows it further.
	View Selection
	// AllowMove lets the function move resources that were read from a directory
	// to other files of it.
	AllowMove bool
}

// Who may have named a module.
const (
	NamedByFlag           = "flag"
	NamedByFunctionConfig = "function-config"
)

// A Selection chooses resources in kpt's words: only those that one selector of
// Match fits, or all where it is empty, and none that one of Exclude fits.
type Selection struct {
	Match   []policy.Selector `json:"match"`
	Exclude []policy.Selector `json:"exclude"`
}

// Run judges the request and, if it is allowed, runs the function. Where there
// is an error the Report, if there is one, holds what was found until then, and
// its Emit is nil. Errors: *UsageError where the request
// cannot be carried out as written, *oci.RefError and *oci.RegistryError where
// the image could not be fetched, and others that say what failed.
func (p *Pipeline) Run(ctx context.Context, req Request) (*Report, error) {
	switch {
	case p.cfg.Sandbox == nil:
		return nil, errors.New("pipeline: no sandbox to run in")
	case p.cfg.Random == nil:
		return nil, errors.New("pipeline: no source of random numbers")
	}
	if err := checkRequest(&req); err != nil {
		return nil, err
	}
	// The child's start hides behind the fetch. Should it fail, the run says so.
	go p.cfg.Sandbox.Ahead(ctx)
	input, err := req.Input.Encode()
	if err != nil {
		return nil, fmt.Errorf("writing the function's input: %w", err)
	}
	j := &judgement{p: p, req: req, report: p.newReport(req, input)}
	if err := j.learn(ctx); err != nil || j.refused() {
		return j.report, err
	}
	j.takeCode(ctx)
	// So does its start with compiled code, behind the policy's judgement.
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		p.cfg.Sandbox.Expect(ctx, j.module, j.voucher())
	}()
	j.stage = StageDecide
	if err := j.decide(ctx); err != nil || j.refused() {
		<-looked // what it removed nobody else would tell of
		j.tellCache()
		return j.report, err
	}
	j.stage = StageRun
	result, err := j.run(ctx)
	if err != nil || j.refused() {
		return j.report, err
	}
	j.stage = StageCheck
	return j.report, j.check(ctx, result)
}

// walk goes through the stages before the policy, in order, until one refuses.
func (j *judgement) walk(ctx context.Context, stages ...func(context.Context) error) error {
	names := []Stage{StageFetch, StageVerify, StageInspect}
	for i, stage := range stages {
		j.stage = names[i]
		if err := stage(ctx); err != nil || j.refused() {
			return err
		}
	}
	return nil
}

// Inspect fetches and verifies the module and gathers the facts, without asking
// the policy and without running anything. The Facts are, as JSON, the exact
// input that a policy would see for this request. A module that is not signed
// is no refusal here: Verified says what was found, and Report.Rejected why.
func (p *Pipeline) Inspect(ctx context.Context, req Request) (policy.Facts, *Report, error) {
	if err := checkRequest(&req); err != nil {
		return policy.Facts{}, nil, err
	}
	j := &judgement{p: p, req: req, report: p.newReport(req, nil), lenient: true}
	if err := j.learn(ctx); err != nil {
		return policy.Facts{}, nil, err
	}
	if j.refused() {
		return policy.Facts{}, j.report, nil
	}
	facts := j.facts()
	j.tellCache()
	return facts, j.report, nil
}

// checkRequest fills in what may be left out, and refuses what makes no sense.
func checkRequest(req *Request) error {
	if req.Role == "" {
		req.Role = policy.RoleTransformer
	}
	if req.NamedBy != NamedByFlag {
		req.NamedBy = NamedByFunctionConfig
	}
	switch {
	case !slices.Contains([]string{policy.RoleTransformer, policy.RoleGenerator, policy.RoleValidator}, req.Role):
		return usagef("use transformer, generator or validator", "unknown role %q of a function", req.Role)
	case (req.Image == "") == (req.File == ""):
		return usagef("name the module with --image or --file", "exactly one of an image and a file names the module")
	case req.Input == nil:
		return errors.New("pipeline: no input")
	}
	switch req.FailOn {
	case krm.SeverityError, krm.SeverityWarning, krm.SeverityInfo, FailNever:
		return nil
	default:
		return usagef("use error, warning, info or never", "unknown severity %q", req.FailOn)
	}
}
