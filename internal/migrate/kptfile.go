package migrate

import (
	"path"
	"strings"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// scanKptfile looks at the pipeline of a Kptfile.
func (t *Tree) scanKptfile(f *textFile) {
	base := path.Dir(f.path)
	for _, d := range f.text.Documents() {
		if d.Err != nil {
			fn := t.add(f, krm.Place{}, "pipeline", base)
			fn.Line, fn.kpt = d.Line, true
			fn.block("unreadable", "mend it", "it cannot be read: "+d.Err.Error())
			continue
		}
		pipeline := d.Root.Field("pipeline")
		for _, list := range []string{"mutators", "validators"} {
			entries := pipeline.Field(list)
			if pipeline.IsAlias() || entries.IsAlias() {
				fn := t.add(f, krm.Place{}, "pipeline."+list, base)
				fn.Line = max(entries.Line(), pipeline.Line())
				fn.block("alias", "write the pipeline out in full", "its pipeline comes by an alias or a merge key")
				break
			}
			for i, entry := range entries.Elements() {
				t.scanStep(f, entry, at("pipeline", list, i), base)
			}
		}
	}
}

// scanStep looks at one function of a pipeline.
func (t *Tree) scanStep(f *textFile, entry krm.Place, place, base string) {
	if t.full() {
		return
	}
	fn := t.add(f, krm.Place{}, place, base)
	fn.Line, fn.kpt, fn.State = entry.Line(), true, StateMoves
	fn.Name, _ = entry.Field("name").Text()
	image, exec := entry.Field("image"), entry.Field("exec")
	switch {
	case entry.IsAlias():
		fn.block("alias", "write it out in full", "it comes by an alias or a merge key")
	case image.Exists() == exec.Exists():
		fn.block("malformed", "", "it names neither an image nor a program, or both")
	case image.Exists():
		fn.Runtime = "container"
		fn.Reference, _ = image.Text()
		if tag := entry.Field("tag"); !tag.Empty() {
			fn.block("tag", "write the tag into the image, or map the image without one", "kpt chooses the image's tag when it runs")
		}
		fn.rewrite = rewriteStep(image)
	default:
		fn.Runtime = "exec"
		fn.Reference, _ = exec.Text()
		if isWrapper(fn.Reference) {
			fn.Runtime, fn.wraps = "krmsafe", wrapsOther
			if plainExec().MatchString(fn.Reference) && wrappedImage(strings.Fields(fn.Reference)[1:]) != "" {
				fn.State = StateDone
			}
		}
		fn.rewrite = rewriteStep(exec)
	}
	if fn.Reference == "" && fn.State == StateMoves {
		fn.block("malformed", "", "its image or program is not text")
	}
}
