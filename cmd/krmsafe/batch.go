package main

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pace"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/policy"
)

// A batch is functions that run one after the other on one list of resources.
type batch struct {
	app   *app
	flags runFlags
	path  string   // of a directory or a file; "" for standard input
	pairs []string // behind "--"

	known   cataloged
	dir     *krm.Directory    // nil where the resources came from a stream
	list    *krm.ResourceList // as the functions left it so far
	steps   []step
	reports []*pipeline.Report
	results string // folder of results.yaml, "" until it is known to be a good one
}

// A step is one function of a batch.
type step struct {
	req    pipeline.Request // without its input
	config *krm.Object      // nil where there is none
	folder string           // whose resources it gets; "" for all of them
	name   string           // as kpt's results call it; "" for the module's own name
}

func (b *batch) close() {
	if b.dir != nil {
		_ = b.dir.Close()
	}
}

// run goes as far as the reports: nothing is printed or written here.
func (b *batch) run(ctx context.Context) ([]*pipeline.Report, error) {
	if err := b.flags.check(); err != nil {
		return nil, err
	}
	// The child's start and the policy's compilation hide behind all that is read
	// here, and behind the wait for whoever writes the input.
	s, err := b.app.open(ctx, b.flags.judgeFlags)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if b.known, err = b.flags.catalog.load(ctx, b.app, b.flags.registry); err != nil {
		return nil, err
	}
	if b.flags.tree.nested {
		pace.Begin(steadyHeap, 100) // with many packages it is not over soon
	}
	if err := b.prepare(); err != nil {
		return nil, err
	}
	if len(b.steps) > 1 {
		if err := s.ready(); err != nil {
			return nil, err
		}
		defer b.lookAhead(ctx, s)()
	}
	for _, st := range b.steps {
		rep, err := b.step(ctx, s, st)
		b.reports = append(b.reports, rep)
		if err != nil || !rep.Outcome.OK {
			return b.reports, err
		}
	}
	return b.reports, nil
}

// steadyHeap is about what a run over one package needs: many take little more.
const steadyHeap = 16 << 20

// lookAhead fetches and verifies the modules that come later while the first one
// runs, a few at a time. What it gives ends it.
func (b *batch) lookAhead(ctx context.Context, s *session) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	later := make(chan pipeline.Request)
	var running sync.WaitGroup
	for range min(len(b.steps)-1, 4) {
		running.Go(func() {
			for req := range later {
				s.prefetch(ctx, req)
			}
		})
	}
	running.Go(func() {
		defer close(later)
		seen := map[[2]string]bool{}
		for _, st := range b.steps[1:] {
			name := [2]string{st.req.Image, st.req.File}
			if seen[name] {
				continue
			}
			seen[name] = true
			select {
			case later <- st.req:
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// prepare reads the resources and finds out which functions run on them.
func (b *batch) prepare() error {
	if err := b.destination(); err != nil {
		return err
	}
	b.results = b.flags.results
	if b.flags.pipeline.on {
		return b.prepareKptfile()
	}
	configs, skip, err := b.configs()
	if err != nil {
		return err
	}
	if err := b.read(skip...); err != nil {
		return err
	}
	if b.list.FunctionConfig != nil {
		if len(configs) > 0 {
			return &pipeline.UsageError{
				Message: "the input already holds a functionConfig, and the command line names another",
				Hint:    "remove one of them",
			}
		}
		configs = []namedConfig{{object: b.list.FunctionConfig}}
	}
	if len(configs) == 0 {
		configs = []namedConfig{{}}
	}
	for _, c := range configs {
		if err := b.addStep(c); err != nil {
			return err
		}
	}
	if b.list.Plain && len(b.list.Items) == 0 && b.steps[0].req.Role != policy.RoleGenerator {
		return &emptyInputError{}
	}
	return nil
}

// addStep adds the function that the flags name, or else the functionConfig.
func (b *batch) addStep(c namedConfig) error {
	view, err := b.flags.view.selection()
	if err != nil {
		return err
	}
	req := pipeline.Request{
		Image: b.flags.module.image, File: b.flags.module.file, Role: roles[b.flags.kind], View: view,
		Input: &krm.ResourceList{FunctionConfig: c.object}, AllowMove: b.flags.tree.move,
	}
	// Whoever wrote the functionConfig must not reach into the network that
	// krmsafe runs in by naming a registry there.
	req.NamedBy = pipeline.NamedByFlag
	if req.Image == "" && req.File == "" {
		req.NamedBy = pipeline.NamedByFunctionConfig
	}
	b.known.name(&req)
	if err := nameModule(&req, c.path); err != nil {
		return err
	}
	b.steps = append(b.steps, step{req: req, config: c.object})
	return nil
}

// step runs one function, and takes what it returns for the list. A validator
// runs on a copy, which is forgotten.
func (b *batch) step(ctx context.Context, s *session, st step) (*pipeline.Report, error) {
	part := b.list.Within(st.folder)
	in := *part.List
	in.FunctionConfig, in.Results = st.config, nil
	req := st.req
	req.Input = &in
	rep, err := s.run(ctx, req)
	if rep == nil { // it does not say which function it was
		rep = pipeline.NewReport()
		rep.Function.Reference, rep.Function.Role, rep.Function.NamedBy = req.Image+req.File, req.Role, req.NamedBy
	}
	if err != nil || !rep.Outcome.OK {
		return rep, err
	}
	if rep.Emit == nil {
		return rep, errors.New("the function was allowed, and returned nothing")
	}
	out := rep.Emit
	if req.Role == policy.RoleValidator {
		same := *out
		same.Items = in.Items
		out = &same
	}
	results := b.list.Results
	b.list = part.Replace(out)
	b.list.Results = slices.Concat(results, out.Results)
	b.list.FunctionConfig = out.FunctionConfig
	if len(b.steps) > 1 {
		b.list.FunctionConfig = nil
	}
	b.list.Skipped, b.list.LeftOut = nil, nil // the first function's report told of them
	return rep, nil
}
