package policy

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// assembly is the set of modules that answer each question.
type assembly struct {
	admit map[string]*ast.Module
	texts [][]byte // of every module in use
}

// assemble parses what Config names and decides which modules answer.
func assemble(cfg Config) (assembly, error) {
	if cfg.Sources != nil && len(cfg.Sources) == 0 {
		return assembly{}, emptyError("")
	}
	library, err := parse(cfg.Library)
	if err != nil {
		return assembly{}, err
	}
	own, err := parse(cfg.Sources)
	if err != nil {
		return assembly{}, err
	}
	defaults, err := parse(cfg.Defaults)
	if err != nil {
		return assembly{}, err
	}
	modules, isOwn := map[string]*ast.Module{}, map[string]bool{}
	maps.Copy(modules, library)
	answered := false
	for name, m := range own {
		modules["policy/"+name], isOwn["policy/"+name] = m, true
		answered = answered || (packageOf(m) == admitEntry.pkg && len(m.Rules) > 0)
	}
	if cfg.Sources != nil && !answered {
		return assembly{}, emptyError(cfg.Sources[0].Name)
	}
	if !answered {
		maps.Copy(modules, defaults)
	}
	set := assembly{admit: closure(admitEntry.pkg, modules)}
	if len(set.admit) == 0 {
		return assembly{}, emptyError("")
	}
	used := map[string]bool{}
	for name := range set.admit {
		used[name] = true
	}
	complaints := append(checkPlacement(modules, isOwn, used), checkKeys(admitEntry, set.admit)...)
	if len(complaints) > 0 {
		return assembly{}, compileError(complaints)
	}
	texts := textsByName(cfg)
	for _, name := range slices.Sorted(maps.Keys(used)) {
		set.texts = append(set.texts, texts[name])
	}
	return set, nil
}

// textsByName names texts as assemble names modules.
func textsByName(cfg Config) map[string][]byte {
	texts := map[string][]byte{}
	for _, s := range slices.Concat(cfg.Library, cfg.Defaults) {
		texts[s.Name] = s.Text
	}
	for _, s := range cfg.Sources {
		texts["policy/"+s.Name] = s.Text
	}
	return texts
}
