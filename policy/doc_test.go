package policy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/policies"
	"github.com/krmsafe/krmsafe/policy"
)

// docs/policy-input.md is what the schemas say.
func TestInputDocIsFresh(t *testing.T) {
	fresh(t, filepath.Join("..", "docs", "policy-input.md"), policy.InputDoc())
}

// policies/README.md is what the metadata of the shipped policies says.
func TestPoliciesDocIsFresh(t *testing.T) {
	var b strings.Builder
	b.WriteString(policiesIntro)
	for _, profile := range []string{"baseline", "ci-gate", "generators", "strict", "third-party"} {
		docs := docsOf(t, profile)
		for _, p := range docs {
			if p.Package == "krmsafe.admit" {
				b.WriteString("- **" + profile + "**: " + p.Description + "\n")
			}
		}
	}
	b.WriteString("\n# The library\n\nEvery rule gives its reasons as a set, so that a policy takes what it wants of it.\n\n")
	b.Write(policy.Markdown(docsOf(t, "lib")))
	fresh(t, filepath.Join("..", "policies", "README.md"), []byte(strings.TrimSpace(b.String())+"\n"))
}

const policiesIntro = `# The policies that krmsafe ships

Each folder but lib is a complete policy: its krmsafe.admit decides, and the baseline's krmsafe.output judges the changes.
Where none is named, the baseline holds. Generated from the metadata of the rules.

`

func docsOf(t *testing.T, root string) []policy.PackageDoc {
	t.Helper()
	sources, err := policy.SourcesFS(policies.FS, root)
	if err != nil {
		t.Fatal(err)
	}
	docs, err := policy.Doc(sources)
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

func fresh(t *testing.T, file string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is not fresh; run make golden (-want +got):\n%s", file, diff)
	}
}

// Every rule that gives a reason says in its metadata what it is and what to
// do about it, and no two say the same id for different things.
func TestShippedRulesAreDocumented(t *testing.T) {
	for _, root := range []string{"lib", "baseline", "ci-gate", "generators", "strict", "third-party"} {
		for _, p := range docsOf(t, root) {
			if p.Title == "" || p.Description == "" {
				t.Errorf("package %s of %s lacks a title or a description", p.Package, root)
			}
			for _, r := range p.Rules {
				if r.Title == "" || (r.ID != "") != (r.Remedy != "") {
					t.Errorf("%s:%d: rule %s lacks a title, or has only one of id and remedy", r.File, r.Row, r.Name)
				}
			}
		}
	}
}

func TestDocOfBrokenRego(t *testing.T) {
	if docs, err := policy.Doc([]policy.Source{{Name: "a.rego", Text: []byte("package")}}); err == nil {
		t.Errorf("Doc = %v", docs)
	}
}
