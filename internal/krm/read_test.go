package krm_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
)

func writeTree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReadPathDirectory(t *testing.T) {
	t.Parallel()
	outside := writeTree(t, map[string]string{"secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: outside}\n"})
	dir := writeTree(t, map[string]string{
		"b.yaml":                 "apiVersion: v1\nkind: Service\nmetadata:\n  name: b\n",
		"a/two.yml":              "# first\napiVersion: v1\nkind: Pod\nmetadata:\n  name: one\n---\n# nothing\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: two\n",
		"a/values.yaml":          "replicas: 3\n",
		"kustomization.yaml":     "resources: [b.yaml]\n",
		"Kptfile":                "kind: Kptfile\n",
		".git/config.yaml":       "apiVersion: v1\nkind: Secret\nmetadata: {name: git}\n",
		".hidden.yaml":           "apiVersion: v1\nkind: Secret\nmetadata: {name: hidden}\n",
		"readme.md":              "{{ no yaml",
		"a/list.yaml":            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: three}}\n",
		"crlf/windows-file.yaml": "apiVersion: v1\r\nkind: Pod\r\nmetadata:\r\n  name: four\r\n",
	})
	if err := os.Symlink(filepath.Join(outside, "secret.yaml"), filepath.Join(dir, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "linked")); err != nil {
		t.Fatal(err)
	}
	rl, err := krm.ReadPath(dir, krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	type place struct {
		Name, Path string
		Index      int
	}
	var got []place
	for _, it := range rl.Items {
		got = append(got, place{it.Name, it.Path, it.Index})
	}
	want := []place{
		{"three", "a/list.yaml", 0}, {"one", "a/two.yml", 0}, {"two", "a/two.yml", 2}, {"b", "b.yaml", 0}, {"four", "crlf/windows-file.yaml", 0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	wantSkipped := []krm.Skipped{
		{Path: "link.yaml", Reason: "a symbolic link", Unread: true},
		{Path: "a/values.yaml", Reason: "no apiVersion or no kind"},
	}
	if diff := cmp.Diff(wantSkipped, rl.Skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	out, err := rl.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"    annotations:\n      config.kubernetes.io/index: '2'\n      config.kubernetes.io/path: 'a/two.yml'\n      internal.config.kubernetes.io/index: '2'\n      internal.config.kubernetes.io/path: 'a/two.yml'\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("Encode has no\n%s:\n%s", want, out)
		}
	}
	again, err := krm.Parse(out, krm.DefaultLimits())
	if err != nil {
		t.Fatalf("%v in:\n%s", err, out)
	}
	plain, err := again.Manifests()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(plain), "annotations") {
		t.Errorf("Manifests keeps annotations of the reader:\n%s", plain)
	}
}

func TestReadPathNamesTheFile(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, map[string]string{"a/bad.yaml": "apiVersion: v1\nkind: Pod\n---\napiVersion: v1\nkind: Pod\na: b: c\n"})
	_, err := krm.ReadPath(dir, krm.DefaultLimits())
	se, ok := errors.AsType[*krm.SyntaxError](err)
	if !ok || se.Name != "a/bad.yaml" || se.Line != 6 || se.Column != 5 {
		t.Errorf("ReadPath = %v, want a/bad.yaml, line 6, column 5", err)
	}
}

func TestReadStream(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in string
		plain    bool
		names    []string
		out      string
	}{
		{"documents", "---\n# a\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\n--- # next\napiVersion: v1\nkind: Pod\nmetadata: {name: b}\n---\n", true, []string{"a", "b"}, "# a\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: b}\n"},
		{"resource list", wrap("- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: a # c\n"), false, []string{"a"}, "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a # c\n"},
		{"list", "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: a\n", true, []string{"a"}, "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n"},
		{"json", `{"apiVersion":"config.kubernetes.io/v1","kind":"ResourceList","items":[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}]}`, false, []string{"a"}, "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"a\"}}\n"},
		{"byte order mark", "\xef\xbb\xbfapiVersion: v1\nkind: Pod\nmetadata: {name: a}\n", true, []string{"a"}, "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"},
		{"nothing", "", true, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rl, err := krm.ReadStream([]byte(tt.in), krm.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, it := range rl.Items {
				names = append(names, it.Name)
			}
			if diff := cmp.Diff(tt.names, names); diff != "" || rl.Plain != tt.plain {
				t.Errorf("plain = %v, names (-want +got):\n%s", rl.Plain, diff)
			}
			out, err := rl.Manifests()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.out, string(out)); diff != "" {
				t.Errorf("Manifests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSummarize(t *testing.T) {
	t.Parallel()
	rl, err := krm.Parse([]byte(wrap(deployment+configMap+"- {apiVersion: v1, kind: Secret, metadata: {name: s, namespace: a}}\n")), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := krm.Summary{
		Count: 3, ContainsSecrets: true, Namespaces: []string{"a", "shop"},
		Kinds: []krm.KindCount{{"", "v1", "ConfigMap", 1}, {"", "v1", "Secret", 1}, {"apps", "v1", "Deployment", 1}},
	}
	if diff := cmp.Diff(want, krm.Summarize(rl)); diff != "" {
		t.Errorf("Summarize (-want +got):\n%s", diff)
	}
}

func TestReadPathLimits(t *testing.T) {
	t.Parallel()
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"
	dir := writeTree(t, map[string]string{"a.yaml": pod, "b/c/d.yaml": pod, "e.txt": ""})
	for _, tt := range []struct {
		name, code string
		change     func(*krm.Limits)
	}{
		{"files", "input.limit.files", func(l *krm.Limits) { l.Files = 3 }},
		{"folders in folders", "input.limit.depth", func(l *krm.Limits) { l.Depth = 0 }},
		{"bytes over all files", "input.limit.bytes", func(l *krm.Limits) { l.Bytes = int64(len(pod)) + 1 }},
		{"resources over all files", "input.limit.items", func(l *krm.Limits) { l.Items = 1 }},
		{"nodes over all files", "input.limit.nodes", func(l *krm.Limits) { l.Nodes = 12 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			limits := krm.DefaultLimits()
			tt.change(&limits)
			_, err := krm.ReadPath(dir, limits)
			if se, ok := errors.AsType[*krm.SyntaxError](err); !ok || se.Code != tt.code {
				t.Errorf("ReadPath = %v, want %s", err, tt.code)
			}
		})
	}
	if _, err := krm.ReadPath(filepath.Join(dir, "missing"), krm.DefaultLimits()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("ReadPath of nothing = %v, want that it does not exist", err)
	}
}

func TestReadPathFile(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, map[string]string{"list.yaml": wrap(pod), "pods.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n", "bad.yaml": "a: b: c\n"})
	for _, tt := range []struct {
		name  string
		plain bool
		want  string
	}{{"list.yaml", false, "p"}, {"pods.yaml", true, "a"}} {
		rl, err := krm.ReadPath(filepath.Join(dir, tt.name), krm.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		if len(rl.Items) != 1 || rl.Items[0].Name != tt.want || rl.Plain != tt.plain || rl.Items[0].Path != "" {
			t.Errorf("ReadPath(%s) = %+v", tt.name, rl.Items)
		}
	}
	bad := filepath.Join(dir, "bad.yaml")
	if _, err := krm.ReadPath(bad, krm.DefaultLimits()); err == nil || !strings.Contains(err.Error(), "bad.yaml\": line 1, column 5: ") {
		t.Errorf("ReadPath(bad.yaml) = %v, want its name, line 1, column 5", err)
	}
	limits := krm.DefaultLimits()
	limits.Bytes = 10
	if _, err := krm.ReadPath(bad, limits); err != nil && strings.Contains(err.Error(), "bytes") {
		t.Errorf("8 bytes are more than 10: %v", err)
	}
	limits.Bytes = 7
	if se, ok := errors.AsType[*krm.SyntaxError](func() error { _, err := krm.ReadPath(bad, limits); return err }()); !ok || se.Code != "input.limit.bytes" {
		t.Errorf("8 bytes were read under a limit of 7: %v", se)
	}
}
