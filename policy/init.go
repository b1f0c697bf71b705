package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/format"
)

// InitConfig is what a least-privilege policy is drawn from.
type InitConfig struct {
	// Facts of the module, as a policy would see them.
	Facts Facts
	// Usage is what a run really used; nil where none was observed.
	Usage *Usage
	// Changes is what that run changed; nil where none was observed.
	Changes *Changes
	// Library and Defaults are as in Config; they say which allowance holds
	// which change.
	Library  []Source
	Defaults []Source
}

// Usage is what a run used of its limits.
type Usage struct {
	MemoryPages uint32
	Fuel        uint64
	Wall        time.Duration
	Compile     time.Duration // part of Wall
	OutputBytes int64
	StderrBytes int64
}

// Draft is a policy for a person to read before it is used. It refuses
// whatever is not as it was when it was drawn.
type Draft struct {
	Rego  []byte   // one file of package krmsafe.admit
	Notes []string // what the reader must know; also in the file
}

// Init draws a least-privilege policy for one module: its signers, its
// repository, the classes and features it uses, limits with some room above
// what it used, and the smallest grant that holds what it changed. Given a
// signed module, the policy allows these Facts, and the output policy allows
// these Changes under its grant, unless a note says otherwise. A module that
// nobody signed and that the operator accepts unsigned is pinned by its digest.
func Init(ctx context.Context, cfg InitConfig) (*Draft, error) {
	d := &draft{facts: cfg.Facts.Normalize(), usage: cfg.Usage, grant: ChangeGrant{}.normalize()}
	if cfg.Changes == nil {
		d.note("no run was observed: limits are the defaults, and the function may change nothing until changes says what")
	} else {
		p, err := Load(ctx, Config{Library: cfg.Library, Defaults: cfg.Defaults})
		if err != nil {
			return nil, fmt.Errorf("loading the shipped policy: %w", err)
		}
		f := &fitter{policy: p, seen: map[string]bool{}}
		if err := f.fit(ctx, cfg.Changes.Normalize()); err != nil {
			return nil, err
		}
		d.grant = f.grant.normalize()
		d.notes = append(d.notes, f.notes...)
	}
	text, err := format.Source("admit.rego", []byte(d.write()))
	if err != nil {
		return nil, fmt.Errorf("formatting the policy: %w", err)
	}
	return &Draft{Rego: text, Notes: d.notes}, nil
}

type draft struct {
	facts Facts
	usage *Usage
	grant ChangeGrant
	notes []string
	b     strings.Builder
}

func (d *draft) note(format string, args ...any) {
	d.notes = append(d.notes, fmt.Sprintf(format, args...))
}

func (d *draft) line(format string, args ...any) { fmt.Fprintf(&d.b, format+"\n", args...) }

// reason adds one line to the policy's reasons.
func (d *draft) reason(set string) { d.line("reasons contains r if some r in %s\n", set) }

func (d *draft) write() string {
	signed := d.facts.Verified.Signed
	accepted := !signed && d.facts.Request.Flags.AllowUnsigned
	switch {
	case accepted:
		d.note("the module is not signed: the policy pins it by its digest, and allows it only where --allow-unsigned is given")
	case !signed:
		d.note("the module is not signed: the policy demands a signature by whomever the trust policy accepts")
	}
	registry := d.facts.Request.Source == "registry"
	d.header(accepted)
	if accepted {
		d.reason("signature.required_or_accepted")
		d.pin()
	} else {
		d.reason("signature.required")
	}
	if signed {
		d.signers()
	}
	if registry {
		d.reason(fmt.Sprintf("source.outside([%s])", quote(d.facts.Request.Registry+"/"+d.facts.Request.Repository)))
		d.line("reasons contains r if some r in source.pinned\n")
	}
	d.reason("module.baseline")
	d.reason(fmt.Sprintf("module.import_classes_outside(%s)", list(d.facts.Module.ImportClasses)))
	d.reason(fmt.Sprintf("module.features_outside(%s)", list(d.facts.Module.Features)))
	d.reason(fmt.Sprintf("module.larger_than(%d)", roundUp(uint64(max(d.facts.Module.SizeBytes, 0))*5/4)))
	d.reason("budget.exceeded(limits)")
	d.line("jail := \"full\"\n")
	d.view()
	d.changes()
	d.limits()
	return d.b.String()
}

// pin names the bytes of a module that only its digest vouches for.
func (d *draft) pin() {
	d.line("# METADATA\n# title: The module is the one that the policy was drawn for\n# custom:\n#   id: module.pinned\n#   remedy: look at the new module, and draw a policy for it")
	d.line("reasons contains r if {\n\tinput.module.digest != %s\n\tr := reason.new(rego.metadata.rule(), sprintf(\"the module is %%s\", [input.module.digest]))\n}\n", quote(d.facts.Module.Digest))
}

func (d *draft) header(accepted bool) {
	d.line("# METADATA\n# title: %s", quote("Policy for "+printable(d.facts.Request.Reference)))
	d.line("# description: Drawn by krmsafe policy init from one module and what it did. Read it before you use it.")
	d.line("package krmsafe.admit\n")
	for _, n := range d.notes {
		d.line("# Note: %s", strings.Trim(quote(n), `"`))
	}
	if len(d.notes) > 0 {
		d.line("")
	}
	d.line("import data.krmsafe.lib.limits as budget\nimport data.krmsafe.lib.module")
	if accepted {
		d.line("import data.krmsafe.lib.reason")
	}
	d.line("import data.krmsafe.lib.signature")
	if d.facts.Request.Source == "registry" {
		d.line("import data.krmsafe.lib.source")
	}
	d.line("\ndefault allow := false\n\nallow if count(reasons) == 0\n")
}

// signers names who signed, so that no other signer that the trust policy may
// come to accept can sign this module.
func (d *draft) signers() {
	var signers []string
	for _, s := range d.facts.Verified.Signatures {
		if s.Type == "certificate" {
			signers = append(signers, fmt.Sprintf(`{"issuer": %s, "subject": %s}`, quote(s.Issuer), quote(s.Subject)))
		} else {
			signers = append(signers, fmt.Sprintf(`{"keyID": %s}`, quote(s.KeyID)))
		}
	}
	d.reason(fmt.Sprintf("signature.signers_outside([%s])", strings.Join(signers, ", ")))
}

func (d *draft) view() {
	if d.facts.Resources.ContainsSecrets {
		d.line("view := {\"secrets\": \"placeholders\"}\n")
		return
	}
	d.line("view := {\"secrets\": \"hidden\"}\n")
}

func (d *draft) changes() {
	text, err := json.MarshalIndent(d.grant, "", "\t")
	if err != nil { // cannot be: strings only
		return
	}
	d.line("changes := %s\n", ascii(string(text)))
}

// limits leaves room above what was used: a larger input needs more. See
// TestInitAllowsWhatItSaw.
func (d *draft) limits() {
	l, ceiling := DefaultLimits(), MaxLimits()
	if u := d.usage; u != nil {
		l.MemoryPages = uint32(bounded(uint64(u.MemoryPages)*2, 16, uint64(ceiling.MemoryPages))) //nolint:gosec // G115: bounded
		l.Fuel = bounded(u.Fuel*4, 1_000_000, ceiling.Fuel)
		l.OutputBytes = int64(bounded(uint64(max(u.OutputBytes, 0))*4, 64*kib, uint64(ceiling.OutputBytes))) //nolint:gosec // G115: bounded
		l.StderrBytes = int64(bounded(uint64(max(u.StderrBytes, 0))*4, 4*kib, uint64(ceiling.StderrBytes)))  //nolint:gosec // G115: bounded
		l.Timeout = seconds(u.Wall*5, 10*time.Second, ceiling.Timeout)
		l.CompileTimeout = min(seconds(u.Compile*5, 5*time.Second, ceiling.CompileTimeout), l.Timeout)
	}
	l.MemoryPages = max(l.MemoryPages, d.facts.Module.Memory.MinPages)
	entries := uint64(0)
	for _, t := range d.facts.Module.Tables {
		entries += uint64(t.MinElements)
	}
	l.TableElements = uint32(bounded(entries*2, 1000, uint64(ceiling.TableElements))) //nolint:gosec // G115: bounded
	text, err := json.MarshalIndent(l, "", "\t")
	if err != nil { // cannot be: numbers and durations
		return
	}
	d.b.WriteString("limits := " + string(text) + "\n")
}

// bounded rounds up to two digits within the bounds.
func bounded(n, least, most uint64) uint64 { return min(max(roundUp(n), least), most) }

// roundUp rounds n up to its first two digits.
func roundUp(n uint64) uint64 {
	step := uint64(1)
	for n/step >= 100 {
		step *= 10
	}
	return (n + step - 1) / step * step
}

func seconds(t, least, most time.Duration) time.Duration {
	return min(max((t+time.Second-1).Truncate(time.Second), least), most)
}

// list writes strings as a set in Rego.
func list(items []string) string {
	if len(items) == 0 {
		return "set()"
	}
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = quote(item)
	}
	return "{" + strings.Join(quoted, ", ") + "}"
}

// quote writes a foreign string so that it is one string to Rego and to YAML
// and harmless on a terminal.
func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil { // cannot be: any string marshals
		return `""`
	}
	return ascii(string(text))
}

// printable puts a question mark for whatever is not printable ASCII: YAML,
// which metadata is, has no escapes that Rego shares.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > 0x7e {
			return '?'
		}
		return r
	}, s)
}

// ascii escapes what is not printable ASCII as JSON does.
func ascii(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t' || r >= ' ' && r < 0x7f:
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+(r>>10), 0xdc00+(r&0x3ff))
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
