package policy_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/policy"
)

type file struct{ name, text string }

func archive(tb testing.TB, files ...file) []byte {
	tb.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	w := tar.NewWriter(zipped)
	for _, f := range files {
		head := &tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.text)), Typeflag: tar.TypeReg}
		if strings.HasPrefix(f.text, "->") {
			head.Typeflag, head.Linkname, head.Size, f.text = tar.TypeSymlink, f.text[2:], 0, ""
		}
		if err := w.WriteHeader(head); err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write([]byte(f.text)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zipped.Close()); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestBundleFromTar(t *testing.T) {
	bundle, err := policy.BundleFromTar("b", archive(t,
		file{"/.manifest", `{"revision": "1", "roots": [""], "rego_version": 1}`},
		file{"/.signatures.json", `{"signatures": ["x"]}`},
		file{"/policy/admit.rego", signedOnly},
		file{"./policy/admit_test.rego", "package x\n"},
		file{"/policy.wasm", "\x00asm"},
		file{"/data.json", `{"params": {"a": {"b": 1}}}`},
		file{"/params/a/data.yaml", "c: [2]\n"},
	))
	if err != nil {
		t.Fatal(err)
	}
	want := &policy.Bundle{
		Sources: []policy.Source{{Name: "b/policy/admit.rego", Text: []byte(signedOnly)}},
		Params:  []byte(`{"a":{"b":1,"c":[2]}}`),
	}
	if diff := cmp.Diff(want, bundle); diff != "" {
		t.Errorf("bundle differs (-want +got):\n%s", diff)
	}
	cfg := shipped(t)
	cfg.Sources, cfg.Params = bundle.Sources, bundle.Params
	load(t, cfg)
}

func TestHostileBundles(t *testing.T) {
	good := file{"a.rego", signedOnly}
	var many []file
	for i := range 1002 {
		many = append(many, file{fmt.Sprintf("%d.rego", i), ""})
	}
	tests := []struct {
		name, code string
		archive    []byte
	}{
		{"nothing", "policy.empty", nil},
		{"no tar", "policy.bundle", []byte(strings.Repeat("x", 600))},
		{"no gzip", "policy.bundle", []byte{0x1f, 0x8b, 1}},
		{"empty", "policy.empty", archive(t)},
		{"tests only", "policy.empty", archive(t, file{"a_test.rego", "package a\n"})},
		{"escape", "policy.bundle", archive(t, good, file{"../b.rego", ""})},
		{"inner escape", "policy.bundle", archive(t, good, file{"a/../../b.rego", ""})},
		{"backslash", "policy.bundle", archive(t, good, file{`a\b.rego`, ""})},
		{"link", "policy.bundle", archive(t, good, file{"b.rego", "->/etc/passwd"})},
		{"twice", "policy.bundle", archive(t, good, file{"./a.rego", signedOnly})},
		{"rego v0", "policy.bundle", archive(t, good, file{".manifest", `{"rego_version": 0}`})},
		{"one file of rego v0", "policy.bundle", archive(t, good, file{".manifest", `{"rego_version": 1, "file_rego_versions": {"/a.rego": 0}}`})},
		{"wasm", "policy.bundle", archive(t, good, file{".manifest", `{"wasm": [{"entrypoint": "x"}]}`})},
		{"odd manifest", "policy.bundle", archive(t, good, file{".manifest", `[]`})},
		{"data for the entry", "policy.bundle", archive(t, good, file{"data.json", `{"krmsafe": {"admit": {"allow": true}}}`})},
		{"data in its folder", "policy.bundle", archive(t, good, file{"krmsafe/admit/data.json", `{"allow": true}`})},
		{"data that is a list", "policy.bundle", archive(t, good, file{"data.json", `[]`})},
		{"params that are a list", "policy.bundle", archive(t, good, file{"params/data.json", `[]`})},
		{"data twice", "policy.bundle", archive(t, good, file{"data.json", `{"params": {"a": 1}}`}, file{"params/data.json", `{"a": 2}`})},
		{"key twice", "policy.bundle", archive(t, good, file{"data.json", `{"params": {"a": 1, "a": 2}}`})},
		{"odd data", "policy.bundle", archive(t, good, file{"data.json", `{"params"`})},
		{"deep data", "policy.bundle", archive(t, good, file{"params/data.json", strings.Repeat(`{"a":`, 200)})},
		{"large file", "policy.too_large", archive(t, good, file{"b.rego", strings.Repeat(" ", 1<<20+1)})},
		{"bomb", "policy.too_large", archive(t, bomb()...)},
		{"many files", "policy.too_large", archive(t, many...)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bundle, err := policy.BundleFromTar("b", test.archive)
			var refused *policy.LoadError
			if !errors.As(err, &refused) || refused.Code != test.code || bundle != nil {
				t.Errorf("BundleFromTar = %v, %v; want %s", bundle, err, test.code)
			}
		})
	}
	zipped := archive(t, good)
	if _, err := policy.BundleFromTar("b", zipped[:len(zipped)/2]); err == nil {
		t.Error("a bundle cut in half is read")
	}
}

// bomb is small packed and large unpacked.
func bomb() []file {
	var files []file
	for i := range 30 {
		files = append(files, file{fmt.Sprintf("%d.txt", i), strings.Repeat(" ", 1<<20)})
	}
	return files
}

func TestBundleFromLayers(t *testing.T) {
	rego := policy.Layer{MediaType: policy.MediaTypePolicyLayer, Title: "policy/admit.rego", Bytes: []byte(signedOnly)}
	data := policy.Layer{MediaType: policy.MediaTypeDataLayer, Title: "data/params/data.json", Bytes: []byte(`{}`)}
	data.Title = "params/data.json"
	bundle, err := policy.BundleFromLayers("r", []policy.Layer{rego, data})
	if err != nil || len(bundle.Sources) != 1 || bundle.Sources[0].Name != "r/policy/admit.rego" || string(bundle.Params) != "{}" {
		t.Errorf("BundleFromLayers = %+v, %v", bundle, err)
	}
	bundle, err = policy.BundleFromLayers("r", []policy.Layer{{MediaType: policy.MediaTypeBundleLayer, Bytes: archive(t, file{"a.rego", signedOnly})}})
	if err != nil || len(bundle.Sources) != 1 {
		t.Errorf("BundleFromLayers = %+v, %v", bundle, err)
	}
	for name, layers := range map[string][]policy.Layer{
		"none":          {},
		"unknown type":  {rego, {MediaType: "application/wasm", Title: "b.rego"}},
		"no title":      {{MediaType: policy.MediaTypePolicyLayer, Bytes: []byte(signedOnly)}},
		"title escapes": {{MediaType: policy.MediaTypePolicyLayer, Title: "../a.rego", Bytes: []byte(signedOnly)}},
		"data title":    {rego, {MediaType: policy.MediaTypeDataLayer, Title: "other.json", Bytes: []byte("{}")}},
		"data outside":  {rego, {MediaType: policy.MediaTypeDataLayer, Title: "data.json", Bytes: []byte(`{"allow": true}`)}},
		"twice":         {rego, rego},
		"large":         {rego, {MediaType: policy.MediaTypePolicyLayer, Title: "b.rego", Bytes: make([]byte, 1<<20+1)}},
	} {
		if bundle, err := policy.BundleFromLayers("r", layers); err == nil {
			t.Errorf("%s: BundleFromLayers = %+v", name, bundle)
		}
	}
}

func TestMergeParams(t *testing.T) {
	merged, err := policy.MergeParams([]policy.Source{
		{Name: "a.json", Text: []byte(`{"a": {"x": 1}, "n": 10000000000000000000001}`)}, {Name: "b.yaml", Text: []byte("a: {y: [2]}\n")},
	})
	if want := `{"a":{"x":1,"y":[2]},"n":10000000000000000000001}`; err != nil || string(merged) != want {
		t.Errorf("MergeParams = %s, %v; want %s", merged, err, want)
	}
	for _, files := range [][]policy.Source{
		{{Name: "a.json", Text: []byte(`{"a": 1}`)}, {Name: "b.json", Text: []byte(`{"a": 1}`)}},
		{{Name: "a.json", Text: []byte(`{"a": {"b": 1}}`)}, {Name: "b.json", Text: []byte(`{"a": 1}`)}},
		{{Name: "a.json", Text: []byte(`[1]`)}},
		{{Name: "a.json", Text: []byte(`{`)}},
		{{Name: "a.json", Text: []byte(`{} {}`)}},
		{{Name: "a.yaml", Text: []byte("a: 1\na: 2\n")}},
		{{Name: "a.yaml", Text: []byte("- a\n")}},
		{{Name: "a.yaml", Text: []byte("a: &x 1\nb: *x\n")}},
		{{Name: "a.yaml", Text: []byte("a: 1\n---\nb: 1\n")}},
		{{Name: "a.yaml", Text: []byte("? [a]\n: 1\n")}},
		{{Name: "a.yaml"}},
		{{Name: "a.json"}},
	} {
		var refused *policy.LoadError
		if merged, err := policy.MergeParams(files); !errors.As(err, &refused) || refused.Code != "policy.params" {
			t.Errorf("MergeParams(%s) = %s, %v; want policy.params", files, merged, err)
		}
	}
}

// Whatever bytes a bundle has, what is read from it is within bounds and can
// be given to Load.
func FuzzBundleFromTar(f *testing.F) {
	f.Add(archive(f, file{"a.rego", signedOnly}, file{"data.json", `{"params": {}}`}))
	f.Fuzz(func(t *testing.T, bytes []byte) {
		bundle, err := policy.BundleFromTar("b", bytes)
		if (bundle == nil) == (err == nil) {
			t.Fatalf("BundleFromTar = %v, %v", bundle, err)
		}
		if bundle == nil {
			return
		}
		for _, s := range bundle.Sources {
			if !strings.HasPrefix(s.Name, "b/") || strings.Contains(s.Name, "..") && strings.Contains(s.Name, "/../") || len(s.Text) > 1<<20 {
				t.Errorf("odd source %q of %d bytes", s.Name, len(s.Text))
			}
		}
		if len(bundle.Params) > 0 && !json.Valid(bundle.Params) {
			t.Errorf("params %q are no JSON", bundle.Params)
		}
		_, _ = policy.Load(context.Background(), policy.Config{Sources: bundle.Sources, Params: bundle.Params})
	})
}
