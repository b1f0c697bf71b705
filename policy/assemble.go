package policy

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// assembly is the set of modules that answer each question.
type assembly struct {
	modules map[string]map[string]*ast.Module // package of the entry → name → module
	texts   [][]byte                          // of every module in use
}

// ownPrefix keeps the operator's files apart from shipped ones of the same
// name.
const ownPrefix = "policy/"

// assemble parses what Config names and decides which modules answer.
func assemble(cfg Config) (assembly, error) {
	if cfg.Sources != nil && len(cfg.Sources) == 0 {
		return assembly{}, emptyError("")
	}
	own, err := parse(cfg.Sources)
	if err != nil {
		return assembly{}, err
	}
	modules, isOwn, answered := map[string]*ast.Module{}, map[string]bool{}, map[string]bool{}
	for name, m := range own {
		modules[ownPrefix+name], isOwn[ownPrefix+name] = m, true
		if e, ok := entryOf(m); ok && len(m.Rules) > 0 {
			answered[e.pkg] = true
		}
	}
	if cfg.Sources != nil && len(answered) == 0 {
		return assembly{}, nothingAnswered(cfg.Sources, own)
	}
	defaults, err := parse(slices.DeleteFunc(slices.Clone(cfg.Defaults), func(s Source) bool { return answered[announced(s.Text)] }))
	if err != nil {
		return assembly{}, err
	}
	for name, m := range defaults {
		if e, ok := entryOf(m); ok && !answered[e.pkg] {
			modules[name] = m
		}
	}
	used := uses{}
	if err := newShelf(cfg.Library).take(modules, used); err != nil {
		return assembly{}, err
	}
	return choose(cfg, modules, isOwn, used)
}

// choose splits the modules by the questions that they answer.
func choose(cfg Config, modules map[string]*ast.Module, isOwn map[string]bool, refs uses) (assembly, error) {
	if twice := checkTwice(modules); len(twice) > 0 {
		return assembly{}, compileError(twice)
	}
	set, used := assembly{modules: map[string]map[string]*ast.Module{}}, map[string]bool{}
	var complaints []Position
	for _, e := range entries {
		reached := closure(e.pkg, modules, refs)
		set.modules[e.pkg] = reached
		for name := range reached {
			used[name] = true
		}
		complaints = append(complaints, checkKeys(e, reached)...)
		complaints = append(complaints, checkReferences(reached, refs)...)
		complaints = append(complaints, checkWords(e, reached)...)
	}
	if len(set.modules[admitEntry.pkg]) == 0 {
		return assembly{}, emptyError("")
	}
	complaints = append(complaints, checkPlacement(modules, isOwn, used)...)
	if len(complaints) > 0 {
		return assembly{}, compileError(complaints)
	}
	texts := textsByName(cfg)
	for _, name := range slices.Sorted(maps.Keys(used)) {
		set.texts = append(set.texts, texts[name])
	}
	return set, nil
}

// nothingAnswered says why the operator's files are no policy: they are empty,
// or speak in packages that krmsafe does not ask.
func nothingAnswered(sources []Source, own map[string]*ast.Module) error {
	for _, s := range sources {
		if m := own[s.Name]; len(m.Rules) > 0 {
			loc := m.Package.Loc()
			return compileError([]Position{{
				File: s.Name, Row: loc.Row, Col: loc.Col, Code: "policy.unreachable",
				Message: "no file has package krmsafe.admit or krmsafe.output, so no rule would be evaluated; this one has package " + packageOf(m),
			}})
		}
	}
	return emptyError(sources[0].Name)
}

// textsByName names texts as assemble names modules.
func textsByName(cfg Config) map[string][]byte {
	texts := map[string][]byte{}
	for _, s := range slices.Concat(cfg.Library, cfg.Defaults) {
		texts[s.Name] = s.Text
	}
	for _, s := range cfg.Sources {
		texts[ownPrefix+s.Name] = s.Text
	}
	return texts
}
