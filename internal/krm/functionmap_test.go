package krm_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/krmsafe/krmsafe/internal/krm"
)

const mapHead = "apiVersion: krmsafe.dev/v1alpha1\nkind: FunctionMap\n"

func TestParseFunctionMap(t *testing.T) {
	t.Parallel()
	digest := "@sha256:" + strings.Repeat("a", 64)
	for _, tt := range []struct {
		name, text, code string
		line             int
		want             []krm.MappedFunction
	}{
		{name: "image and file", text: mapHead + "functions:\n- container: gcr.io/kpt-fn/set-labels:v0.2.0\n  wasip1: {image: ghcr.io/acme/set-labels" + digest + "}\n- {container: gcr.io/x/y" + digest + ", wasip1: {file: y.wasm}}\n", want: []krm.MappedFunction{
			{Container: "gcr.io/kpt-fn/set-labels:v0.2.0", Spec: krm.FunctionSpec{Image: "ghcr.io/acme/set-labels" + digest}, Line: 4},
			{Container: "gcr.io/x/y" + digest, Spec: krm.FunctionSpec{File: "y.wasm"}, Line: 6},
		}},
		{name: "a program", text: mapHead + "functions:\n- {exec: ./bin/fn --fast, wasip1: {file: fn.wasm}}\n", want: []krm.MappedFunction{
			{Exec: "./bin/fn --fast", Spec: krm.FunctionSpec{File: "fn.wasm"}, Line: 4},
		}},
		{name: "none", text: mapHead + "functions: []\n"},
		{name: "image and program", text: mapHead + "functions:\n- {container: a/b:c, exec: d, wasip1: {file: f}}\n", code: "map.malformed", line: 4},
		{name: "a program twice", text: mapHead + "functions:\n- {exec: d, wasip1: {file: f}}\n- {exec: d, wasip1: {file: g}}\n", code: "map.duplicate", line: 5},
		{name: "no command", text: mapHead + "functions:\n- {exec: '', wasip1: {file: f}}\n", code: "map.malformed", line: 4},
		{name: "empty", text: "", code: "map.kind", line: 1},
		{name: "other kind", text: "apiVersion: v1\nkind: ConfigMap\nfunctions: []\n", code: "map.kind", line: 1},
		{name: "no list", text: mapHead, code: "map.malformed", line: 1},
		{name: "unknown key", text: mapHead + "allow: all\nfunctions: []\n", code: "map.key", line: 3},
		{name: "unknown key of an entry", text: mapHead + "functions:\n- {container: a/b:c, wasip1: {file: f}, trust: all}\n", code: "map.key", line: 4},
		{name: "a pattern", text: mapHead + "functions:\n- {container: 'gcr.io/kpt-fn/*', wasip1: {file: f}}\n", code: "map.image", line: 4},
		{name: "a scheme", text: mapHead + "functions:\n- {container: 'docker://gcr.io/x', wasip1: {file: f}}\n", code: "map.image", line: 4},
		{name: "a flag", text: mapHead + "functions:\n- {container: '--privileged', wasip1: {file: f}}\n", code: "map.image", line: 4},
		{name: "no module", text: mapHead + "functions:\n- {container: gcr.io/x/y:v1}\n", code: "map.malformed", line: 4},
		{name: "both modules", text: mapHead + "functions:\n- {container: gcr.io/x/y:v1, wasip1: {file: f, image: g}}\n", code: "map.malformed", line: 4},
		{name: "twice", text: mapHead + "functions:\n- {container: gcr.io/x/y:v1, wasip1: {file: f}}\n- {container: gcr.io/x/y:v1, wasip1: {file: g}}\n", code: "map.duplicate", line: 5},
		{name: "twice in other words", text: mapHead + "functions:\n- {container: alpine, wasip1: {file: f}}\n- {container: docker.io/library/alpine:latest, wasip1: {file: g}}\n", code: "map.duplicate", line: 5},
		{name: "a key twice", text: mapHead + "functions: []\nfunctions: []\n", code: "map.duplicate_key", line: 4},
		{name: "an alias", text: mapHead + "functions:\n- &a {container: gcr.io/x/y:v1, wasip1: {file: f}}\n- *a\n", code: "map.anchor", line: 4},
		{name: "two documents", text: mapHead + "functions: []\n---\nkind: x\n", code: "map.documents", line: 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := krm.ParseFunctionMap("map.yaml", []byte(tt.text))
			if tt.code != "" {
				syntax, ok := errors.AsType[*krm.SyntaxError](err)
				if !ok || syntax.Code != tt.code || syntax.Line != tt.line || syntax.Name != "map.yaml" {
					t.Fatalf("ParseFunctionMap() = %v (%T), want %s in line %d", err, err, tt.code, tt.line)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, m.Functions, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("ParseFunctionMap() (-want +got):\n%s", d)
			}
		})
	}
}

func TestFunctionMapLookup(t *testing.T) {
	t.Parallel()
	digest := "@sha256:" + strings.Repeat("b", 64)
	m, err := krm.ParseFunctionMap("m", []byte(mapHead+"functions:\n- {container: gcr.io/kpt-fn/set-labels:v0.2.0, wasip1: {file: tag}}\n- {container: localhost:5000/x, wasip1: {file: latest}}\n- {container: gcr.io/x/y"+digest+", wasip1: {file: digest}}\n- {container: alpine, wasip1: {file: hub}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for image, want := range map[string]string{
		"gcr.io/kpt-fn/set-labels:v0.2.0":          "tag",
		"gcr.io/kpt-fn/set-labels:v0.2.0" + digest: "",
		"gcr.io/kpt-fn/set-labels:v0.2":            "",
		"gcr.io/kpt-fn/set-labels":                 "",
		"evil.io/gcr.io/kpt-fn/set-labels:v0.2.0":  "",
		"localhost:5000/x:latest":                  "latest",
		"localhost:5000/x":                         "latest",
		"gcr.io/x/y" + digest:                      "digest",
		"gcr.io/x/y:v1" + digest:                   "",
		"docker.io/alpine":                         "hub",
		"index.docker.io/library/alpine:latest":    "hub",
		"":                                         "",
	} {
		if got, ok := m.Lookup(image); got.File != want || ok != (want != "") {
			t.Errorf("Lookup(%q) = %q, %v, want %q", image, got.File, ok, want)
		}
	}
}

func TestParseSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text, code string
		line             int
		want             []krm.Setting
	}{
		{name: "all kinds", text: "# ours\npolicy: [a, b]\nallow: true\nfuel: 100\nkey: k.pub\n", want: []krm.Setting{
			{Key: "policy", List: true, Line: 2, Values: []krm.SettingValue{{"a", krm.SettingText, 2}, {"b", krm.SettingText, 2}}},
			{Key: "allow", Line: 3, Values: []krm.SettingValue{{"true", krm.SettingBool, 3}}},
			{Key: "fuel", Line: 4, Values: []krm.SettingValue{{"100", krm.SettingNumber, 4}}},
			{Key: "key", Line: 5, Values: []krm.SettingValue{{"k.pub", krm.SettingText, 5}}},
		}},
		{name: "empty", text: "# nothing\n"},
		{name: "a key twice", text: "a: 1\na: 2\n", code: "config.duplicate_key", line: 2},
		{name: "nested", text: "a:\n  b: c\n", code: "config.value", line: 2},
		{name: "nested in a list", text: "a:\n- [b]\n", code: "config.value", line: 2},
		{name: "no value", text: "a:\n", code: "config.value", line: 1},
		{name: "a float", text: "a: 1.5\n", code: "config.value", line: 1},
		{name: "an alias", text: "a: &x b\nc: *x\n", code: "config.anchor", line: 1},
		{name: "a sequence", text: "- a\n", code: "config.malformed", line: 1},
		{name: "two documents", text: "a: b\n---\na: c\n", code: "config.documents", line: 3},
		{name: "not text", text: "a: \xff\n", code: "config.encoding", line: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := krm.ParseSettings("config.yaml", []byte(tt.text))
			if tt.code != "" {
				syntax, ok := errors.AsType[*krm.SyntaxError](err)
				if !ok || syntax.Code != tt.code || syntax.Line != tt.line || syntax.Name != "config.yaml" {
					t.Fatalf("ParseSettings() = %v (%T), want %s in line %d", err, err, tt.code, tt.line)
				}
				return
			}
			if d := cmp.Diff(tt.want, got); err != nil || d != "" {
				t.Errorf("ParseSettings() = %v (-want +got):\n%s", err, d)
			}
		})
	}
}

func TestParseWrapped(t *testing.T) {
	t.Parallel()
	const key, own = "config.kubernetes.io/function", "krmsafe.dev/function"
	second := func(key, value string) string { return "    " + key + ": |\n      " + value + "\n" }
	for _, tt := range []struct {
		name, annotations string
		want              krm.FunctionSpec
		code              string
		wrapped           bool
	}{
		{"beside exec", annotated(key, "exec: {path: krmsafe}") + second(own, "wasip1: {file: f.wasm}"), krm.FunctionSpec{File: "f.wasm"}, "", true},
		{"alone", annotated(own, "wasip1: {image: r/x:v1}"), krm.FunctionSpec{Image: "r/x:v1"}, "", false},
		{"the KEP's own", annotated(key, "wasip1: {file: f.wasm}"), krm.FunctionSpec{File: "f.wasm"}, "", false},
		{"both agree", annotated(key, "wasip1: {file: f}") + second(own, "wasip1: {file: f}"), krm.FunctionSpec{File: "f"}, "", false},
		{"both differ", annotated(key, "wasip1: {file: f}") + second(own, "wasip1: {file: g}"), krm.FunctionSpec{}, "function.conflict", false},
		{"it names a program", annotated(key, "exec: {path: krmsafe}") + second(own, "exec: {path: ./evil.sh}"), krm.FunctionSpec{}, "function.runtime", true},
		{"it asks for more", annotated(own, "wasip1: {file: f, policy: none}"), krm.FunctionSpec{}, "function.key", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := config(t, tt.annotations)
			got, err := krm.ParseWrapped(o)
			code := ""
			if syntax, ok := errors.AsType[*krm.SyntaxError](err); ok {
				code = syntax.Code
			}
			if got != tt.want || code != tt.code || (err != nil) != (tt.code != "") {
				t.Errorf("ParseWrapped() = %v, %v, want %v, %q", got, err, tt.want, tt.code)
			}
			if got := krm.NamesProgram(o); got != tt.wrapped {
				t.Errorf("NamesProgram() = %v, want %v", got, tt.wrapped)
			}
		})
	}
	for _, none := range []string{"", annotated(key, "exec: {path: krmsafe}")} {
		if _, err := krm.ParseWrapped(config(t, none)); !errors.Is(err, krm.ErrNoFunction) {
			t.Errorf("ParseWrapped(%q) = %v, want ErrNoFunction", none, err)
		}
	}
}

func TestParseFunctionBlock(t *testing.T) {
	t.Parallel()
	spec, err := krm.ParseFunctionBlock("fn", []byte("#!/usr/bin/env -S krmsafe shim\nwasip1:\n  file: fn.wasm\n"))
	if err != nil || spec.File != "fn.wasm" {
		t.Errorf("ParseFunctionBlock() = %v, %v", spec, err)
	}
	_, err = krm.ParseFunctionBlock("fn", []byte("#!/usr/bin/env -S krmsafe shim\nexec: {path: sh}\n"))
	if syntax, ok := errors.AsType[*krm.SyntaxError](err); !ok || syntax.Code != "function.runtime" || syntax.Name != "fn" || syntax.Line != 2 {
		t.Errorf("ParseFunctionBlock() = %v, want function.runtime in line 2 of fn", err)
	}
}

// FuzzParseFunctionMap: an error returns no map, and each entry of a map is found by its own name.
func FuzzParseFunctionMap(f *testing.F) {
	f.Add([]byte(mapHead + "functions:\n- {container: gcr.io/x/y:v1, wasip1: {file: f}}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := krm.ParseFunctionMap("m", data)
		if err != nil {
			if m != nil {
				t.Fatal("an error, and a map")
			}
			return
		}
		for _, fn := range m.Functions {
			got, ok := m.Lookup(fn.Container)
			if fn.Exec != "" {
				got, ok = m.LookupExec(fn.Exec)
			}
			if !ok || got != fn.Spec {
				t.Errorf("Lookup(%q) = %v, %v, want %v", fn.Container+fn.Exec, got, ok, fn.Spec)
			}
		}
	})
}
