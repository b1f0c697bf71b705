// Package report shows what became of a run to people and programs. It knows
// how a pipeline.Report reads as text, as JSON and as a line of an audit log; it
// decides nothing. Every text that came from outside passes through package
// plain before a person or a CI log sees it (SR-22), so that no function,
// registry or signer can write terminal escapes or workflow commands through
// krmsafe.
package report

import (
	"bytes"
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
	return WriteJSON(w, r)
}

// WriteJSON writes any value as one indented JSON document, so that no line of it is a command to a CI system that
// logs it: in JSON "#\u0023" is "##". A line that begins with "::" there is none, as
// every line begins with a bracket or a quote.
func WriteJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(bytes.ReplaceAll(b.Bytes(), []byte("##"), []byte(`#\u0023`)))
	return err
}

// Options choose how much Text tells.
type Options struct {
	// Quiet tells of a run that went well by its warnings and results alone.
	Quiet bool
	// Changes lists every change.
	Changes bool
	// Brief tells, of a run that went well, all but how it went: what the
	// function itself says.
	Brief bool
	// NoResults leaves out what the function reported: somebody else shows it.
	NoResults bool
}

// Text writes r for a person: warnings, what the function wrote to its standard
// error (each line behind "fn| "), its results, what it changed, and how the run
// ended. A refusal says at which stage, why, and what to do about it.
func Text(w io.Writer, r *pipeline.Report, o Options) error {
	p := &printer{w: w}
	for _, warning := range r.Warnings {
		p.warning(warning)
	}
	if r.Run != nil && (!o.Quiet || !r.Outcome.OK) {
		p.write(plain.Prefix("fn| ", strings.TrimRight(r.Run.Stderr, "\n")))
	}
	for _, res := range r.Results {
		if !o.NoResults {
			p.result(res)
		}
	}
	if o.Changes {
		for _, c := range r.Changes {
			p.change(c)
		}
	}
	switch {
	case !r.Outcome.OK:
		p.refusal(r)
	case !o.Quiet && !o.Brief:
		p.success(r)
	}
	return p.err
}

type printer struct {
	w   io.Writer
	err error
}

func (p *printer) write(text string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.w, text)
	}
}

func (p *printer) line(format string, args ...any) { p.write(fmt.Sprintf(format+"\n", args...)) }

func (p *printer) warning(w pipeline.Warning) {
	p.line("krmsafe: warning: %s (%s)", plain.Line(w.Message), plain.Line(w.ID))
	if w.Remedy != "" {
		p.line("krmsafe:   remedy: %s", plain.Line(w.Remedy))
	}
}

// result prints one result on one line: severity, resource, field, message, file.
func (p *printer) result(r pipeline.Result) {
	parts := []string{"[" + r.Severity + "]"}
	if ref := r.Resource; ref.Kind != "" || ref.Name != "" {
		parts = append(parts, resource(ref.Kind, ref.Namespace, ref.Name))
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
	p.line("%s", plain.Line(text))
}

func resource(kind, namespace, name string) string {
	if namespace != "" {
		name = namespace + "/" + name
	}
	return kind + " " + name
}

func (p *printer) refusal(r *pipeline.Report) {
	o := r.Outcome
	p.line("krmsafe: error: %s (%s)", plain.Line(o.Message), plain.Line(o.Code))
	p.reasons(r.Policy.Reasons)
	if r.Check != nil {
		p.reasons(r.Check.Reasons)
	}
	if o.Stage == pipeline.StageVerify {
		p.candidates(r)
	}
	if o.Hint != "" {
		p.line("krmsafe: hint: %s", plain.Line(o.Hint))
	}
}

// reasons lists reasons, and the remedy that several in a row have in common once.
func (p *printer) reasons(list []pipeline.Reason) {
	for i, reason := range list {
		p.line("krmsafe:   %s: %s", plain.Line(reason.ID), plain.Line(reason.Message))
		if shared := i+1 < len(list) && list[i+1].Remedy == reason.Remedy; reason.Remedy != "" && !shared {
			p.line("krmsafe:     remedy: %s", plain.Line(reason.Remedy))
		}
	}
}

func (p *printer) success(r *pipeline.Report) {
	p.line("krmsafe: function %s %s", plain.Line(r.Function.Reference), r.Function.ModuleDigest)
	for _, s := range r.Signatures {
		p.line("krmsafe: signed by %s", plain.Line(Signer(s)))
	}
	verdict := "allowed"
	if r.Outcome.Waived {
		verdict = "NOT allowed, but run because of --mode warn,"
	}
	p.line("krmsafe: %s by policy %s %s: %s", verdict, plain.Line(r.Policy.Name), short(r.Policy.Digest), limits(r.Policy.Limits))
	if e := r.Run; e != nil {
		p.line("krmsafe: ran in %s (%s, jail %s) on %d of %d memory pages and %d units of fuel: %d items in, %d out",
			roundDuration(e.Wall), engine(e), jail(e.Jail), e.MemoryPages, r.Policy.Limits.MemoryPages, e.Fuel, r.Input.Items, r.Output.Items)
	}
	if seen := view(r.View); seen != "" {
		p.line("krmsafe: %s", seen)
	}
	p.line("krmsafe: %s", Changed(r.Summary))
}

// jail names the level that holds: what was demanded, or full where nothing is
// missing.
func jail(j pipeline.Jail) string {
	switch {
	case len(j.Layers) > 0 && len(j.Missing) == 0:
		return "full"
	case j.Level == "":
		return "none"
	default:
		return j.Level
	}
}

// view says what the function was not shown, and nothing where it saw all.
func view(v pipeline.View) string {
	var parts []string
	if v.HeldBack > 0 {
		parts = append(parts, fmt.Sprintf("it saw %d of %d resources", v.Seen, v.Seen+v.HeldBack))
	}
	if v.Redacted > 0 {
		parts = append(parts, fmt.Sprintf("it saw placeholders for the values of %s", count(v.Redacted, "Secret")))
	}
	return strings.Join(parts, "; ")
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
	if s.Authority != "" && s.Authority != "key" && s.Authority != "keyless" { // the names of flags
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
