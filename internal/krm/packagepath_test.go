package krm_test

import (
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// packaged is a list of ConfigMaps of packages, as kpt writes it.
func packaged(t *testing.T, packages ...string) *krm.ResourceList {
	t.Helper()
	var b strings.Builder
	b.WriteString("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n")
	for i, p := range packages {
		b.WriteString("- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: n" + string(rune('a'+i)) + "\n    annotations:\n      internal.config.kubernetes.io/package-path: '" + p + "'\n  data: {a: b}\n")
	}
	rl, err := krm.Parse([]byte(b.String()), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return rl
}

// TestPackagePathIsVeiled: a function does not learn where on the machine a package lies, and what leaves names the
// place again, whatever the function wrote there.
func TestPackagePathIsVeiled(t *testing.T) {
	t.Parallel()
	rl := packaged(t, "/home/zoe/shop", "/home/zoe/shop/db", "/home/zoe/shop")
	x, err := krm.NewExchange(rl, krm.View{}, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	in := string(x.Input())
	if strings.Contains(in, "zoe") || strings.Contains(in, "shop") {
		t.Errorf("the function sees the path:\n%s", in)
	}
	if strings.Count(in, "package-path: '/'\n") != 2 || strings.Count(in, "package-path: '/db'\n") != 1 {
		t.Errorf("the packages cannot be told apart:\n%s", in)
	}
	for name, answer := range map[string]string{
		"unchanged": in,
		"changed":   strings.ReplaceAll(in, "a: b", "a: c"),
		"tampered":  strings.ReplaceAll(strings.ReplaceAll(in, "a: b", "a: c"), "'/db'", "/etc"),
		"copied":    strings.Replace(in, "items:\n", "items:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: new, annotations: {internal.config.kubernetes.io/package-path: '/'}}}\n", 1),
		"dropped":   strings.ReplaceAll(in, "internal.config.kubernetes.io/package-path", "x"),
	} {
		out, err := x.Output([]byte(answer), krm.DefaultLimits())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, c := range out.Changes {
			if (name == "unchanged" || name == "changed") && c.Path[0] != "data" {
				t.Errorf("%s: a change is told that the function did not make: %v", name, c)
			}
		}
		text, err := out.List.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Count(string(text), "/package-path: '/home/zoe/shop'\n") + strings.Count(string(text), "/package-path: /home/zoe/shop\n")
		sub := strings.Count(string(text), "package-path: '/home/zoe/shop/db'\n") + strings.Count(string(text), "package-path: /home/zoe/shop/db\n")
		if got != 2 || sub != 1 {
			t.Errorf("%s: the packages are not restored:\n%s", name, text)
		}
	}
}

// TestPackagePathOfConfigIsHidden: nor through its functionConfig.
func TestPackagePathOfConfigIsHidden(t *testing.T) {
	t.Parallel()
	rl := packaged(t, "/home/zoe/shop")
	config, err := krm.ParseConfig("fn", []byte("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n  annotations: {internal.config.kubernetes.io/package-path: /home/zoe/shop, keep: it}\n"), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	rl.FunctionConfig = config
	x, err := krm.NewExchange(rl, krm.View{}, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	if in := string(x.Input()); strings.Contains(in, "zoe") || !strings.Contains(in, "keep: it") {
		t.Errorf("the function sees:\n%s", in)
	}
}

func TestPackageRoot(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		packages []string
		packaged bool
		want     string
	}{
		{"one", []string{"/p"}, true, "/p"},
		{"nested, the inner first", []string{"/p/a", "/p", "/p/b/c"}, true, "/p"},
		{"siblings", []string{"/p/a", "/p/b"}, true, ""},
		{"a common beginning", []string{"/p/a", "/p/ab"}, true, ""},
		{"relative", []string{"p"}, true, ""},
		{"climbing", []string{"/p/../etc"}, true, ""},
		{"one without", []string{"/p", ""}, false, ""},
		{"none", nil, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rl := &krm.ResourceList{}
			if len(tt.packages) > 0 {
				rl = packaged(t, tt.packages...)
			}
			if got := rl.Packaged(); got != tt.packaged {
				t.Errorf("Packaged() = %v, want %v", got, tt.packaged)
			}
			got, err := rl.PackageRoot()
			if got != tt.want || tt.packaged && (err != nil) != (tt.want == "") {
				t.Errorf("PackageRoot() = %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestOnlyOwnConfig(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig:\n  apiVersion: example.com/v1\n  kind: Gen\n  metadata: {name: g}\nitems:\n"
	own := "- apiVersion: example.com/v1\n  kind: Gen\n  metadata:\n    name: g\n    annotations: {config.kubernetes.io/local-config: 'true'}\n"
	for name, tt := range map[string]struct {
		items string
		want  bool
	}{
		"own":       {own, true},
		"not local": {strings.ReplaceAll(own, "'true'", "'false'"), false},
		"other":     {strings.ReplaceAll(own, "name: g", "name: h"), false},
		"more":      {own + strings.ReplaceAll(own, "name: g", "name: h"), false},
	} {
		rl, err := krm.Parse([]byte(head+tt.items), krm.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		if got := rl.OnlyOwnConfig(); got != tt.want {
			t.Errorf("%s: OnlyOwnConfig() = %v, want %v", name, got, tt.want)
		}
	}
}

// TestClearedPlaceOfNewObject: kpt's functions write an empty index to objects that they make. It asks for no position,
// and does not leave.
func TestClearedPlaceOfNewObject(t *testing.T) {
	t.Parallel()
	rl := packaged(t, "/p")
	x, err := krm.NewExchange(rl, krm.View{}, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	answer := strings.Replace(string(x.Input()), "items:\n", "items:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: new, annotations: {internal.config.kubernetes.io/index: '', config.kubernetes.io/index: '', internal.config.kubernetes.io/path: new.yaml}}}\n", 1)
	out, err := x.Output([]byte(answer), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	text, err := out.List.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "/index") || !strings.Contains(string(text), "new.yaml") {
		t.Errorf("what leaves:\n%s", text)
	}
	if len(out.Changes) != 1 || strings.Contains(string(out.Changes[0].After), "/index") {
		t.Errorf("what is judged: %v", out.Changes)
	}
}
