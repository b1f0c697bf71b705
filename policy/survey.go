package policy

import (
	"context"
	"maps"
	"slices"
)

// Survey is what a policy that loads is made of.
type Survey struct {
	Digest  string         `json:"digest"`
	Answers []SurveyAnswer `json:"answers"`
	Files   []SurveyFile   `json:"files"` // the operator's, sorted
}

// SurveyAnswer says who answers one question.
type SurveyAnswer struct {
	Package string   `json:"package"`
	Files   []string `json:"files"`   // that define the package, sorted
	Default bool     `json:"default"` // whether they are shipped and not the operator's
}

// SurveyFile is one of the operator's files.
type SurveyFile struct {
	File    string `json:"file"`
	Package string `json:"package"`
	Rules   int    `json:"rules"`
}

// Check loads a policy as a run would, and compiles its tests as well if there
// are any among tests. It returns what the policy is made of; errors are those
// of Load.
func Check(ctx context.Context, cfg Config, tests []Source) (*Survey, error) {
	p, err := Load(ctx, cfg)
	if err != nil {
		return nil, err
	}
	set, err := assemble(cfg)
	if err != nil {
		return nil, err
	}
	if err := compileTests(cfg, tests); err != nil {
		return nil, err
	}
	survey := &Survey{Digest: p.Digest(), Files: []SurveyFile{}}
	own := map[string]bool{}
	for _, s := range cfg.Sources {
		own[ownPrefix+s.Name] = true
	}
	files := map[string]SurveyFile{}
	for _, e := range entries {
		answer := SurveyAnswer{Package: e.pkg, Files: []string{}, Default: true}
		for _, name := range slices.Sorted(maps.Keys(set.modules[e.pkg])) {
			m := set.modules[e.pkg][name]
			file := m.Package.Loc().File
			if packageOf(m) == e.pkg {
				answer.Files = append(answer.Files, file)
				answer.Default = answer.Default && !own[name]
			}
			if own[name] {
				files[file] = SurveyFile{File: file, Package: packageOf(m), Rules: len(m.Rules)}
			}
		}
		survey.Answers = append(survey.Answers, answer)
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		survey.Files = append(survey.Files, files[file])
	}
	return survey, nil
}

func compileTests(cfg Config, tests []Source) error {
	modules, err := parse(slices.Concat(cfg.Library, cfg.Sources, tests))
	if err != nil {
		return err
	}
	for _, e := range entries {
		group, found := testGroup(e, modules)
		if len(found) == 0 {
			continue
		}
		if _, err := compile(e, group); err != nil {
			return err
		}
	}
	return nil
}
