package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/krmsafe/krmsafe/internal/hashed"
)

// A finding is what the stages before the policy found out about one module. It
// does not depend on the resources, so that a Pipeline finds it once.
type finding struct {
	done chan struct{} // closed when the rest is set
	j    *judgement    // as the stages left it; nobody changes it any more
	err  error
}

// learn brings the judgement to where the policy can be asked: the module is
// fetched, verified and inspected by the first request that names it with the
// same evidence, and every later one gets what was found then, the very bytes
// included: a file or a tag that changes meanwhile changes nothing. What could
// not be judged is not kept; the next request tries again.
func (j *judgement) learn(ctx context.Context) error {
	key, err := j.origin()
	if err != nil {
		return err
	}
	for {
		f, mine := j.p.claim(key)
		if mine {
			j.p.find(ctx, key, f, &judgement{p: j.p, req: j.req, given: j.given, report: NewReport(), lenient: j.lenient})
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if f.err == nil || mine {
			j.adopt(f.j)
			if f.err == nil {
				j.expected() // each request has its own
			}
			return f.err
		}
	}
}

// origin tells apart what may be found out differently.
func (j *judgement) origin() (string, error) {
	given := ""
	if j.req.Module != nil {
		j.given = hashed.Of(j.req.Module)
		given = j.given.Digest()
	}
	text, err := json.Marshal(struct {
		Image, File, Name, Given string
		Lenient                  bool
		Bundles                  any
	}{j.req.Image, j.req.File, j.req.Name, given, j.lenient, j.req.Bundles})
	if err != nil {
		return "", fmt.Errorf("telling modules apart: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// claim gives the finding of a key, and whether the caller is to find it.
func (p *Pipeline) claim(key string) (f *finding, mine bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f = p.found[key]; f != nil {
		return f, false
	}
	f = &finding{done: make(chan struct{})}
	p.found[key] = f
	return f, true
}

func (p *Pipeline) find(ctx context.Context, key string, f *finding, j *judgement) {
	f.j, f.err = j, fmt.Errorf("%s: looking into it ended early", j.req.Image+j.req.File)
	defer func() { // also where a stage panics: nobody waits for ever
		if f.err != nil {
			p.mu.Lock()
			delete(p.found, key)
			p.mu.Unlock()
		}
		close(f.done)
	}()
	f.err = j.walk(ctx, j.fetch, j.verify, j.inspect)
}

// adopt takes over what was found. Lists are copied, as each report is its
// reader's own.
func (j *judgement) adopt(from *judgement) {
	j.stage, j.request, j.artifact, j.bytes = from.stage, from.request, from.artifact, from.bytes
	j.provenance, j.module = from.provenance, from.module
	r, found := j.report, from.report
	r.Function, r.Trust, r.Outcome = functionOf(j.req, found.Function), found.Trust, found.Outcome
	r.Signatures, r.Attestations = slices.Clone(found.Signatures), slices.Clone(found.Attestations)
	r.Rejected = slices.Clone(found.Rejected)
	r.Warnings = append(r.Warnings, found.Warnings...)
}

// inParallel is how many modules are looked into at a time.
const inParallel = 4

// Prefetch fetches, verifies and inspects the modules of requests, several at a
// time and each once, so that the runs that follow find it done. Only Image,
// File, Module and Bundles are looked at. It fails with nothing: what cannot be
// judged or is refused is told by the run that asks for it.
func (p *Pipeline) Prefetch(ctx context.Context, requests []Request) {
	var group errgroup.Group
	group.SetLimit(inParallel)
	for _, req := range requests {
		group.Go(func() (err error) {
			defer func() {
				if recover() != nil { // the run that asks for it meets the same
					err = nil
				}
			}()
			j := &judgement{p: p, req: req, report: NewReport()}
			_ = j.learn(ctx)
			return nil
		})
	}
	_ = group.Wait()
}
