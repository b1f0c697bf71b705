// Package report shows what became of a run to people and programs. It knows
// how a pipeline.Report reads as text and as JSON; it decides nothing. Every
// text that came from outside passes through plain.Clean before a person or a
// CI log sees it (SR-22), so that no function, registry or signer can write
// terminal escapes or workflow commands through krmsafe.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/plain"
)

// JSON writes r as one indented JSON document, the contract named by
// pipeline.ReportVersion.
func JSON(w io.Writer, r *pipeline.Report) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// Text writes r for a person: warnings, what the function wrote to its standard
// error (each line behind "fn| "), its results, and how the run ended. With
// quiet set, a run that ended well is told by its results alone.
func Text(w io.Writer, r *pipeline.Report, quiet bool) error {
	p := &printer{w: w}
	for _, warning := range r.Warnings {
		p.line("krmsafe: warning: %s", plain.Clean(warning))
	}
	if r.Run != nil && (!quiet || !r.Outcome.OK) {
		p.stderr(r.Run.Stderr)
	}
	for _, res := range r.Results {
		p.result(res)
	}
	switch {
	case !r.Outcome.OK:
		p.refusal(r)
	case !quiet:
		p.success(r)
	}
	return p.err
}

type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *printer) stderr(text string) {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		p.line("fn| %s", plain.Clean(line))
	}
}

// result prints one result on one line: severity, resource, field, message, file.
func (p *printer) result(r pipeline.Result) {
	parts := []string{"[" + r.Severity + "]"}
	if ref := resource(r.Resource); ref != "" {
		parts = append(parts, ref)
	}
	if r.Field.Path != "" {
		parts = append(parts, r.Field.Path)
	}
	text := strings.Join(parts, " ") + ": " + r.Message
	if r.Field.ProposedValue != "" {
		text += fmt.Sprintf(" (proposed: %s)", r.Field.ProposedValue)
	}
	if r.File != "" {
		text += " in " + r.File
	}
	p.line("%s", plain.Clean(text))
}

func resource(r pipeline.ResourceRef) string {
	if r.Kind == "" && r.Name == "" {
		return ""
	}
	name := r.Name
	if r.Namespace != "" {
		name = r.Namespace + "/" + name
	}
	return r.Kind + " " + name
}

func (p *printer) refusal(r *pipeline.Report) {
	o := r.Outcome
	p.line("krmsafe: error: %s (%s)", plain.Clean(o.Message), o.Code)
	for _, reason := range r.Policy.Reasons {
		p.line("krmsafe:   %s: %s", plain.Clean(reason.ID), plain.Clean(reason.Message))
		if reason.Remedy != "" {
			p.line("krmsafe:     remedy: %s", plain.Clean(reason.Remedy))
		}
	}
	if o.Hint != "" {
		p.line("krmsafe: hint: %s", plain.Clean(o.Hint))
	}
}

func (p *printer) success(r *pipeline.Report) {
	p.line("krmsafe: function %s %s", plain.Clean(r.Function.Reference), r.Function.ModuleDigest)
	for _, s := range r.Signatures {
		p.line("krmsafe: signed by %s", plain.Clean(Signer(s)))
	}
	p.line("krmsafe: allowed by policy %s %s: %s", plain.Clean(r.Policy.Name), short(r.Policy.Digest), limits(r.Policy.Limits))
	if e := r.Run; e != nil {
		p.line("krmsafe: ran in %s (%s, jail %s) on %d of %d memory pages: %d items in, %d out",
			roundDuration(e.Wall), e.Engine, e.Jail, e.MemoryPages, r.Policy.Limits.MemoryPages, r.Input.Items, r.Output.Items)
	}
}

// Signer names who made a signature, in the words of the trust that accepted it.
func Signer(s pipeline.Signature) string {
	who := s.Subject
	if s.Type == "key" || who == "" {
		who = "key " + s.KeyID
	}
	if s.Issuer != "" {
		who += " (" + s.Issuer + ")"
	}
	if s.Authority != "" {
		who += ", trusted as " + s.Authority
	}
	return who
}

func limits(l pipeline.Limits) string {
	text := fmt.Sprintf("%s of memory, %s, %s of output", bytesText(int64(l.MemoryPages)*65536), l.Timeout, bytesText(l.OutputBytes))
	if l.Fuel > 0 {
		text += fmt.Sprintf(", fuel %d", l.Fuel)
	}
	return text
}
