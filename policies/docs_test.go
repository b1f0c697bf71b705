package policies_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/policies"
	"github.com/krmsafe/krmsafe/policy"
)

var update = flag.Bool("update", false, "rewrite golden files")

// docs/policies.md is what the metadata of the shipped policies says.
func TestDocsAreFresh(t *testing.T) {
	file := filepath.Join("..", "docs", "policies.md")
	want := docs(t)
	if *update {
		if err := os.WriteFile(file, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is not fresh; run make golden (-want +got):\n%s", file, diff)
	}
}

const docsIntro = `# The policies that krmsafe ships

Generated from the metadata of the rules; ` + "`krmsafe policy doc`" + ` does the same for yours.

A policy is named with ` + "`--policy builtin:NAME`" + `, or copied and changed; baseline holds where none is named. What a
policy does not answer, the baseline does: most bring no rules over the output, and leave what may change to
` + "`changes`" + ` in their answer. ` + "`krmsafe policy eval`" + ` explains what one of them decides, ` + "`krmsafe policy init`" + ` draws one
for a module, and ` + "`krmsafe policy test`" + ` and ` + "`krmsafe policy check`" + ` test and check your own. The documents that a policy
sees, and the answers that it gives, are described in [policy-input.md](policy-input.md); each rule of the library, in
[the README of the policies](../policies/README.md).

## Testing a policy

Tests are rules whose names start with test_, in files that end in _test.rego. ` + "`data.krmsafe.lib.fixture`" + ` has inputs to start from.

    package krmsafe.admit_test

    import data.krmsafe.admit
    import data.krmsafe.lib.fixture

    test_signed_is_allowed if admit.allow with input as fixture.facts

    test_large_is_refused if {
    	not admit.allow with input as object.union(fixture.facts, {"module": {"sizeBytes": 100000000}})
    }

A fixture is a pair of files. NAME.input.json is a document of facts, as ` + "`krmsafe inspect -o json`" + ` prints it, or of changes;
fields may be left out, and a field that does not exist is an error. NAME.expect.json is what the policy must answer, with
the ids of all reasons and warnings where they matter:

    {"allow": false, "reasons": ["signature.missing"], "warnings": []}

` + "`krmsafe policy test policy --coverage-min 95`" + ` runs both. It ends with 0 where every test passed, with 3 where one failed or too
little is covered, and with 2 where there is no test or the policy does not compile. Output is conftest's: stdout, json,
tap, table, junit, github, azuredevops and sarif, and markdown.

## The policies

`

func docs(t *testing.T) []byte {
	t.Helper()
	var b strings.Builder
	b.WriteString(docsIntro + "| policy | for what |\n|---|---|\n")
	all := docsOf(t, "lib")
	for _, profile := range profiles {
		for _, p := range docsOf(t, profile) {
			if p.Package == "krmsafe.admit" {
				fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", profile, profile, p.Description)
			}
		}
	}
	for _, profile := range profiles {
		packages := docsOf(t, profile)
		all = append(all, packages...)
		fmt.Fprintf(&b, "\n## %s\n", profile)
		for _, p := range packages {
			fmt.Fprintf(&b, "\n`data.%s`: %s\n\n", p.Package, p.Description)
			b.WriteString("| rule | what it says |\n|---|---|\n")
			for _, r := range p.Rules {
				what := strings.TrimSuffix(r.Title, ".")
				if r.Description != "" {
					what += ". " + r.Description
				}
				fmt.Fprintf(&b, "| `%s` | %s |\n", r.Name, cell(what))
			}
		}
	}
	b.WriteString("\n## Reasons\n\nEvery reason that these policies and the library give, by its id, which does not change.\n\n")
	b.WriteString("| id | given by | what it demands | remedy |\n|---|---|---|---|\n")
	var rows []string
	for _, p := range all {
		for _, r := range p.Rules {
			if r.ID != "" {
				rows = append(rows, fmt.Sprintf("| `%s` | `%s` | %s | %s |\n", r.ID, p.Package, cell(r.Title), cell(r.Remedy)))
			}
		}
	}
	slices.SortFunc(rows, cmp.Compare[string])
	b.WriteString(strings.Join(slices.Compact(rows), ""))
	return []byte(b.String())
}

func docsOf(t *testing.T, root string) []policy.PackageDoc {
	t.Helper()
	sources, err := policy.SourcesFS(policies.FS, root)
	if err != nil {
		t.Fatal(err)
	}
	packages, err := policy.Doc(sources)
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

func cell(s string) string { return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(s) }
