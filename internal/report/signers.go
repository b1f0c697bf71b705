package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/plain"
)

// Signers writes who signed a module, when, and what else was verified, for a
// person who asked just that.
func Signers(w io.Writer, r *pipeline.Report) error {
	p := &printer{w: w}
	digest := r.Function.Digest
	if digest == "" {
		digest = r.Function.ModuleDigest
	}
	p.line("%s", plain.Line(r.Function.Reference))
	p.line("  digest     %s", digest)
	if r.Trust.Pinned {
		p.line("  verified   rule %s allows this digest by name; no signature was asked for", plain.Line(r.Trust.Rule))
	} else {
		p.line("  verified   it meets rule %s", plain.Line(r.Trust.Rule))
	}
	for _, s := range r.Signatures {
		p.signature("signed by", s)
	}
	for _, s := range r.Attestations {
		p.signature("attested by", s)
	}
	p.candidates(r)
	return p.err
}

func (p *printer) signature(verb string, s pipeline.Signature) {
	p.line("  %s %s", verb, plain.Line(Signer(s)))
	p.detail("kind", strings.TrimSpace(s.Format+" "+s.PredicateType))
	for _, t := range s.Timestamps {
		p.detail("time", fmt.Sprintf("%s, by %s %s", t.Time, t.Type, t.URI))
	}
	for _, l := range s.Logs {
		p.detail("log", fmt.Sprintf("entry %d of %s", l.Index, l.LogID))
	}
	p.pairs("annotation", s.Annotations)
	p.pairs("claim", s.Extensions)
	if len(s.Unchecked) > 0 {
		p.detail("unchecked", strings.Join(s.Unchecked, ", "))
	}
	p.detail("evidence", s.Source+" "+s.Evidence)
}

func (p *printer) detail(name, value string) {
	p.line("    %-10s %s", name, plain.Line(value))
}

func (p *printer) pairs(name string, m map[string]string) {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		p.detail(name, k+"="+m[k])
	}
}

// maxCandidates is how many candidates a person is shown; JSON has them all.
const maxCandidates = 8

// candidates lists the evidence that did not count and why.
func (p *printer) candidates(r *pipeline.Report) {
	for i, c := range r.Rejected {
		if i == maxCandidates {
			p.line("krmsafe:   and %d more; -o json lists them", len(r.Rejected)-i)
			return
		}
		p.line("krmsafe:   did not count: %s %s: %s (%s)", plain.Line(c.Source), short(c.Digest), plain.Line(c.Message), c.Code)
		if c.Hint != "" && c.Hint != r.Outcome.Hint {
			p.line("krmsafe:     %s", plain.Line(c.Hint))
		}
	}
}
