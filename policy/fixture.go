package policy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Fixture is an input of a policy with what is expected of it. Input is a
// document of facts or of changes, as its version says; fields that it leaves
// out have their empty value, and a field that does not exist is an error.
// Expect is an object of allow and, where they matter, the ids of all reasons
// and warnings.
type Fixture struct {
	Name   string
	Input  []byte
	Expect []byte
}

const (
	inputSuffix  = ".input.json"
	expectSuffix = ".expect.json"
)

// FixturesPath reads the fixtures in a folder and below it: NAME.input.json
// with NAME.expect.json beside it. One without the other is an error.
func FixturesPath(dir string) ([]Fixture, error) {
	found := map[string]*Fixture{}
	fsys := os.DirFS(dir)
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("reading fixtures: %w", err)
		}
		base, suffix := name, ""
		for _, s := range []string{inputSuffix, expectSuffix} {
			if cut, ok := strings.CutSuffix(name, s); ok {
				base, suffix = cut, s
			}
		}
		if entry.IsDir() || suffix == "" {
			return nil
		}
		if len(found) >= maxSources {
			return tooLarge(dir, fmt.Sprintf("%d fixtures", maxSources))
		}
		text, err := readBounded(fsys, name, filepath.Join(dir, name))
		if err != nil {
			return err
		}
		fixture := found[base]
		if fixture == nil {
			fixture = &Fixture{Name: filepath.Join(dir, base)}
			found[base] = fixture
		}
		if suffix == inputSuffix {
			fixture.Input = text
		} else {
			fixture.Expect = text
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []Fixture
	for _, f := range found {
		if f.Input == nil || f.Expect == nil {
			return nil, &LoadError{Code: "policy.fixture", Message: fmt.Sprintf("fixture %q lacks its %s or its %s", f.Name, inputSuffix, expectSuffix), Hint: "write both files"}
		}
		out = append(out, *f)
	}
	slices.SortFunc(out, func(a, b Fixture) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

type expectation struct {
	Allow    *bool     `json:"allow"`
	Reasons  *[]string `json:"reasons"`
	Warnings *[]string `json:"warnings"`
}

// fixtures runs the fixtures through the same evaluation that a run uses.
func (t *testRun) fixtures(ctx context.Context, cfg TestConfig) error {
	load := Config{Library: withoutTests(cfg.Library), Defaults: withoutTests(cfg.Defaults), Sources: withoutTests(cfg.Sources), Params: cfg.Params}
	for _, c := range canaries() {
		load.Permissive = append(load.Permissive, c.name) // Load has its say elsewhere
	}
	l, err := loadLocal(ctx, load)
	if err != nil {
		return err
	}
	p := &Policy{engine: l, digest: l.digest, cfg: load}
	for _, f := range cfg.Fixtures {
		if !t.chosen(f.Name) {
			continue
		}
		result := TestResult{Name: filepath.Base(f.Name), File: f.Name + inputSuffix, Row: 1, Outcome: TestPass}
		message, err := p.meets(ctx, f)
		switch {
		case err != nil && ctx.Err() != nil:
			return err
		case err != nil:
			result.Outcome, result.Message = TestError, err.Error()
		case message != "":
			result.Outcome, result.Message = TestFail, message
		}
		t.results = append(t.results, result)
	}
	return nil
}

// meets says in what the decision on a fixture differs from what is expected.
func (p *Policy) meets(ctx context.Context, f Fixture) (string, error) {
	var want expectation
	if err := strictJSON(f.Expect, &want); err != nil {
		return "", fmt.Errorf("reading what %q expects: %w", f.Name, err)
	}
	if want.Allow == nil {
		return "", fmt.Errorf("reading what %q expects: allow is missing", f.Name)
	}
	got, err := p.DecideJSON(ctx, f.Input)
	if err != nil {
		return "", err
	}
	var differences []string
	if got.Allow != *want.Allow {
		differences = append(differences, fmt.Sprintf("allow is %v, want %v", got.Allow, *want.Allow))
	}
	compare := func(what string, reasons []Reason, want *[]string) {
		if want == nil {
			return
		}
		have := []string{}
		for _, r := range reasons {
			have = append(have, r.ID)
		}
		if have, want := sortedSet(have), sortedSet(*want); !slices.Equal(have, want) {
			differences = append(differences, fmt.Sprintf("%s are %q, want %q", what, have, want))
		}
	}
	compare("reasons", got.Reasons, want.Reasons)
	compare("warnings", got.Warnings, want.Warnings)
	return strings.Join(differences, "; "), nil
}

// DecideJSON judges a document of facts or of changes as its version says. The
// document may leave fields out, but has none that does not exist.
func (p *Policy) DecideJSON(ctx context.Context, document []byte) (Decision, error) {
	e, normal, err := parseDocument(document)
	if err != nil {
		return Decision{}, err
	}
	return p.decide(ctx, e, normal)
}

func parseDocument(document []byte) (entry, any, error) {
	var head struct {
		Version string `json:"version"`
	}
	if err := json.Unmarshal(document, &head); err != nil {
		return entry{}, nil, fmt.Errorf("reading the input document: %w", err)
	}
	var err error
	switch head.Version {
	case FactsVersion:
		var facts Facts
		if err = strictJSON(document, &facts); err == nil {
			return admitEntry, facts.Normalize(), nil
		}
	case ChangesVersion:
		var changes Changes
		if err = strictJSON(document, &changes); err == nil {
			return outputEntry, changes.Normalize(), nil
		}
	default:
		err = errors.New("its version is neither " + FactsVersion + " nor " + ChangesVersion)
	}
	return entry{}, nil, fmt.Errorf("reading the input document: %w", err)
}

func withoutTests(sources []Source) []Source {
	if sources == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(sources), func(s Source) bool { return isTest(s.Name) })
}
