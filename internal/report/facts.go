package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/plain"
	"github.com/krmsafe/krmsafe/policy"
)

// Facts writes what is known of a module as a table for a person.
func Facts(w io.Writer, f policy.Facts, r *pipeline.Report) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	t := &table{w: tw}
	t.row("module", f.Request.Reference)
	t.row("module digest", f.Module.Digest)
	if f.Request.Digest != "" {
		t.row("manifest digest", f.Request.Digest)
		t.row("layout", r.Function.Layout)
	}
	t.row("signed", signed(f, r))
	t.row("size", fmt.Sprintf("%s (code %s in %d functions, data %s in %d segments)", bytesText(f.Module.SizeBytes),
		bytesText(f.Module.CodeBytes), f.Module.Functions, bytesText(f.Module.DataBytes), f.Module.DataSegments))
	t.row("entry point", entry(f.Module))
	t.row("memory", memory(f.Module.Memory))
	for _, tbl := range f.Module.Tables {
		t.row("table", tableText(tbl))
	}
	t.row("features", list(f.Module.Features, "none beyond WebAssembly 1"))
	for _, p := range f.Module.Producers {
		t.row("claims "+p.Field, strings.TrimSpace(p.Name+" "+p.Version))
	}
	for _, class := range f.Module.ImportClasses {
		t.row("imports, "+class, strings.Join(imports(f.Module.Imports, class), " "))
	}
	var exports []string
	for _, e := range f.Module.Exports {
		exports = append(exports, e.Name)
	}
	t.row("exports", list(exports, "none"))
	t.row("deepest nesting", fmt.Sprintf("%d, largest function %s", f.Module.DeepestNesting, bytesText(f.Module.LargestFunctionBytes)))
	if t.err == nil {
		t.err = tw.Flush()
	}
	return t.err
}

type table struct {
	w   io.Writer
	err error
}

func (t *table) row(name, value string) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, "%s\t%s\n", plain.Line(name), plain.Line(value))
	}
}

func signed(f policy.Facts, r *pipeline.Report) string {
	if !f.Verified.Signed {
		if len(r.Rejected) > 0 {
			return fmt.Sprintf("no: %d candidate(s), none by a trusted key; the first: %s", len(r.Rejected), r.Rejected[0].Message)
		}
		return "no"
	}
	var who []string
	for _, s := range r.Signatures {
		who = append(who, Signer(s))
	}
	return "by " + strings.Join(who, "; ")
}

func entry(m policy.Module) string {
	text := m.EntryPoint
	if text == "" {
		text = "none: not a command"
	}
	if m.StartSection {
		text += ", and a start section"
	}
	return text
}

func memory(m policy.Memory) string {
	switch {
	case m.Imported:
		return "imported"
	case !m.Declared:
		return "none"
	case m.HasMax:
		return fmt.Sprintf("%d to %d pages (%s to %s)", m.MinPages, m.MaxPages, bytesText(int64(m.MinPages)<<16), bytesText(int64(m.MaxPages)<<16))
	default:
		return fmt.Sprintf("%d pages (%s), no maximum of its own", m.MinPages, bytesText(int64(m.MinPages)<<16))
	}
}

func tableText(t policy.Table) string {
	if t.HasMax {
		return fmt.Sprintf("%s, %d to %d elements", t.Type, t.MinElements, t.MaxElements)
	}
	return fmt.Sprintf("%s, %d elements, no maximum of its own", t.Type, t.MinElements)
}

func imports(all []policy.Import, class string) []string {
	var names []string
	for _, i := range all {
		if i.Class != class {
			continue
		}
		name := i.Name
		if i.Module != "wasi_snapshot_preview1" {
			name = i.Module + "." + i.Name
		}
		names = append(names, name)
	}
	return names
}

func list(items []string, none string) string {
	if len(items) == 0 {
		return none
	}
	return strings.Join(items, " ")
}
