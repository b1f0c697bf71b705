package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// InputDoc returns docs/policy-input.md: both input documents, field by
// field, from the very schemas that policies are compiled against, and the
// shape of the answers with its defaults and ceilings.
func InputDoc() []byte {
	var b strings.Builder
	b.WriteString(inputIntro)
	b.WriteString("\n## The input of `krmsafe.admit`: facts\n\n")
	b.WriteString("Only `input.verified` is signed truth. `input.module` is what krmsafe's decoder found in the bytes that run;\n`input.request` is what the operator asked for; `input.unverified` is what anybody could have written.\n\n")
	fieldTable(&b, FactsSchema(), []string{"version", "request", "verified", "unverified", "module", "runtime", "resources", "functionConfig"})
	b.WriteString("\n## The input of `krmsafe.output`: changes\n\n")
	fieldTable(&b, ChangesSchema(), []string{"version", "request", "verified", "function", "granted", "changes", "summary", "results"})
	b.WriteString(answerIntro)
	limitTable(&b)
	b.WriteString(answerRest)
	for _, r := range ownReasons() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", r[0], r[1])
	}
	b.WriteString(loadIntro)
	for _, r := range loadCodes() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", r[0], r[1])
	}
	b.WriteString(canaryIntro)
	for _, c := range canaries() {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", c.name, c.entry.pkg, c.means)
	}
	b.WriteString(builtinIntro)
	names := strings.Fields(builtins)
	slices.Sort(names)
	for _, name := range names {
		if !strings.HasPrefix(name, "internal.") {
			fmt.Fprintf(&b, "`%s` ", name)
		}
	}
	return []byte(strings.TrimRight(b.String(), " ") + "\n")
}

const inputIntro = `# The input and the answer of a policy

This page is generated from the schemas that policies are compiled against (` + "`make golden`" + ` rewrites it).

A policy is Rego v1. Package ` + "`krmsafe.admit`" + ` answers whether a module may run, and package ` + "`krmsafe.output`" + ` whether what it
changed may leave. A policy that has only one of them leaves the other to the baseline that krmsafe ships.

- Every field below is always present, and no list is null. A misspelt field is a compile error with its position,
  and so is a reference to a package or rule that is not there, and a comparison of a field with a word it never has. Rego sees
  fields that are read from ` + "`input`" + ` or from a variable of a rule; what a function reads of its argument, or ` + "`every`" + ` of its
  elements, it does not see.
- Data given with ` + "`--data`" + ` is under ` + "`data.params`" + ` and nowhere else. A parameter that is read and not given is an error;
  ` + "`object.get(data.params, \"name\", default)`" + ` says that it may be missing.
- A rule in either package whose name is not part of the answer is an error, unless its name starts with an underscore.
  Helpers may also live in a package of their own; a package that neither answer uses is an error.
- ` + "`krmsafe inspect -o json`" + ` prints the facts of a module as a policy sees them.
`

const answerIntro = `
## The answer of ` + "`krmsafe.admit`" + `

| key | type | default | meaning |
|---|---|---|---|
| ` + "`allow`" + ` | boolean | none: it must be defined | ` + "`true`" + ` allows, if no reason stands against it |
| ` + "`reasons`" + ` | set of ` + "`{id, message, remedy}`" + ` | none | why not; id is dotted lower-case words, remedy may be left out |
| ` + "`warnings`" + ` | set of ` + "`{id, message, remedy}`" + ` | none | what does not refuse but should be seen |
| ` + "`limits`" + ` | object | see below | what the run may use |
| ` + "`grants`" + ` | ` + "`{clock, random, stdioPaths}`" + ` | ` + "`false`" + ` each | a real clock (` + "`true`" + ` or ` + "`\"real\"`" + `; ` + "`\"fixed\"`" + ` is ` + "`false`" + `), real random numbers (` + "`true`" + ` or ` + "`\"host\"`" + `; ` + "`\"fixed\"`" + ` is ` + "`false`" + `), its own streams under the names /dev/stdin, /dev/stdout and /dev/stderr |
| ` + "`view`" + ` | ` + "`{secrets, match, exclude}`" + ` | placeholders, all, none | what the function sees; secrets is ` + "`placeholders`, `values` or `hidden`" + `; match and exclude are lists of ` + "`{apiVersion, kind, namespace, name, labels, annotations}`" + ` |
| ` + "`changes`" + ` | ` + "`{only, add, remove, protected, fields}`" + ` | ` + "`{\"only\": [\"any\"]}`" + ` | what the function may change; ` + "`input.granted`" + ` of the output policy |
| ` + "`engine`" + ` | string | ` + "`auto`" + ` | ` + "`auto`, `interpreter` or `compiler`" + ` |
| ` + "`jail`" + ` | string | ` + "`full`" + ` | the least that must confine the child: ` + "`full`, `partial` or `none`" + ` |

The answer of ` + "`krmsafe.output`" + ` has ` + "`allow`, `reasons` and `warnings`" + ` only.

### Limits

A limit that is left out takes its default. One above its ceiling refuses the run; it is never lowered in silence.
Command-line flags may lower a limit and not raise it.

`

const answerRest = `
### Reasons of krmsafe's own

Where a policy does not answer as it must, the run is refused with one of these.

| reason | when |
|---|---|
`

const loadIntro = `
### Errors when a policy is loaded

These are errors of configuration: nothing is judged, and the exit code is 2. Errors with a position come with the file, row
and column; beside these there are Rego's own, such as ` + "`rego_type_error`" + `.

| code | when |
|---|---|
`

const canaryIntro = `
## Canaries

A policy that allows one of these is not loaded, unless ` + "`--permissive-policy NAME`" + ` says that it is meant.

| name | package | what it is |
|---|---|---|
`

const builtinIntro = `
## Functions

A policy may use these functions of Rego, and no others: nothing that reaches the host, the network, the clock or chance.

`

// fieldTable lists the fields of a schema, nested ones with their path.
func fieldTable(b *strings.Builder, schema map[string]any, order []string) {
	b.WriteString("| field | type | meaning |\n|---|---|---|\n")
	fieldRows(b, "input", schema, order)
}

func fieldRows(b *strings.Builder, path string, schema map[string]any, order []string) {
	properties, _ := schema["properties"].(map[string]any)
	if order == nil {
		required, _ := schema["required"].([]any)
		for _, name := range required {
			order = append(order, fmt.Sprint(name))
		}
	}
	for _, name := range order {
		field, _ := properties[name].(map[string]any)
		description, _ := field["description"].(string)
		if enum, ok := field["enum"].([]any); ok {
			var words []string
			for _, word := range enum {
				words = append(words, fmt.Sprintf("`%s`", word))
			}
			description += " One of " + strings.Join(words, ", ") + "."
		}
		fmt.Fprintf(b, "| `%s.%s` | %s | %s |\n", path, name, typeName(field), cell(description))
		switch field["type"] {
		case "object":
			fieldRows(b, path+"."+name, field, nil)
		case "array":
			if items, ok := field["items"].(map[string]any); ok {
				fieldRows(b, path+"."+name+"[_]", items, nil)
			}
		}
	}
}

func typeName(field map[string]any) string {
	switch field["type"] {
	case nil:
		return "any"
	case "array":
		items, _ := field["items"].(map[string]any)
		return "list of " + typeName(items)
	case "object":
		if _, isMap := field["additionalProperties"].(map[string]any); isMap {
			return "object of strings"
		}
	}
	return fmt.Sprint(field["type"])
}

func limitTable(b *strings.Builder) {
	d, m := DefaultLimits(), MaxLimits()
	b.WriteString("| limit | default | ceiling | meaning |\n|---|---|---|---|\n")
	for _, row := range [][4]any{
		{"memoryPages", d.MemoryPages, m.MemoryPages, "pages of 64 KiB of linear memory"},
		{"tableElements", d.TableElements, m.TableElements, "entries over all tables"},
		{"callDepth", d.CallDepth, m.CallDepth, "nested calls; 1900 is what both engines hold"},
		{"fuel", d.Fuel, m.Fuel, "units of fuel/v1"},
		{"timeout", d.Timeout, m.Timeout, "wall clock over decoding, compiling, running and output, such as `\"30s\"`"},
		{"compileTimeout", d.CompileTimeout, m.CompileTimeout, "part of timeout that decoding and compiling may take; never above timeout"},
		{"compileBytes", d.CompileBytes, m.CompileBytes, "memory beyond the guest's for decoding and compiling, in bytes"},
		{"outputBytes", d.OutputBytes, m.OutputBytes, "size of the function's output"},
		{"stderrBytes", d.StderrBytes, m.StderrBytes, "size of the function's standard error"},
	} {
		fmt.Fprintf(b, "| `%s` | %v | %v | %s |\n", row[0], row[1], row[2], row[3])
	}
}

// loadCodes lists the codes of LoadError and those of CompileError's positions
// that are not Rego's.
func loadCodes() [][2]string {
	return [][2]string{
		{"policy.bundle", "a bundle or a layer is not what it should be"},
		{"policy.compile", "the policy does not compile; each complaint has a code of its own"},
		{"policy.duplicate", "a file is given twice"},
		{"policy.empty", "there is no rule"},
		{"policy.fixture", "a fixture lacks its input or its expectation"},
		{"policy.no_tests", "there is no test to run"},
		{"policy.params", "the data is no object, is defined twice, or is read and not given"},
		{"policy.permissive", "the policy allows a canary"},
		{"policy.reference", "a reference names a package or rule that is not there"},
		{"policy.reserved_package", "a file defines a package that belongs to krmsafe"},
		{"policy.schemas", "metadata sets a schema"},
		{"policy.too_large", "a file or the policy exceeds its bound"},
		{"policy.twice", "two policies answer the same question"},
		{"policy.unknown_key", "a rule of krmsafe.admit or krmsafe.output is no part of the answer"},
		{"policy.unreachable", "a file's package is used by neither answer"},
		{"policy.word", "a field is compared with a word it never has"},
	}
}

// ownReasons lists the reasons that krmsafe gives itself.
func ownReasons() [][2]string {
	meanings := map[string]string{
		ReasonMore:          "there are more reasons than the 1000 that are listed",
		ReasonUndefined:     "the policy leaves allow undefined",
		ReasonConflict:      "two rules give different values",
		ReasonBuiltin:       "a function of Rego failed on what it was given",
		ReasonTimeout:       "evaluation took too long",
		ReasonMemory:        "evaluation took too much memory",
		ReasonCrash:         "evaluation brought its process down",
		ReasonEval:          "evaluation failed in another way",
		ReasonShape:         "a value has the wrong type",
		ReasonUnknownKey:    "the answer has a key that means nothing",
		ReasonRange:         "a number or word is outside what is possible",
		ReasonContradiction: "allow is true and there are reasons against",
		ReasonUnexplained:   "allow is false and there is no reason",
	}
	out := [][2]string{}
	for _, id := range slices.Sorted(maps.Keys(meanings)) {
		out = append(out, [2]string{id, meanings[id]})
	}
	return out
}
