package krm_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// one puts a data mapping into a ConfigMap.
func one(data string) string {
	return wrap("- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: c\n  data:\n" + data)
}

func TestLargeMapping(t *testing.T) {
	t.Parallel()
	var in, answer strings.Builder
	for i := range 200 {
		fmt.Fprintf(&in, "    k%d: v%d\n", i, i)
		if i != 70 {
			fmt.Fprintf(&answer, "    k%d: v%d\n", 199-i, 199-i) // in reverse, so that no key stands where it stood
		}
	}
	changed := strings.Replace(answer.String(), "k5: v5\n", "k5: w\n    new: x\n", 1)
	out, err := exchange(t, one(in.String()), krm.View{}).Output([]byte(one(changed)), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := []change{
		{"replace", "ConfigMap c", "data k5", "/data/k5", `"v5"`, `"w"`},
		{"remove", "ConfigMap c", "data k129", "/data/k129", `"v129"`, "null"},
		{"add", "ConfigMap c", "data new", "/data/new", "null", `"x"`},
	}
	if diff := cmp.Diff(want, changes(out.Changes)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	wantText := strings.Replace(one(in.String()), "k5: v5\n", "k5: w\n    new: x\n", 1)
	wantText = strings.Replace(wantText, "    k129: v129\n", "", 1)
	if diff := cmp.Diff(wantText, encode(t, out.List)); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

func TestScalarsAsJSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ before, after, want string }{
		{"1", "0x1F", "31"},
		{"1", "0o17", "15"},
		{"1", "017", "15"},
		{"1", "0b101", "5"},
		{"1", "1_000", "1000"},
		{"1", "-7", "-7"},
		{"1", "18446744073709551615", "18446744073709551615"},
		{"1", "1.50", "1.5"},
		{"1", "2.0", "2"},
		{"1", "1e3", "1000"},
		{"1", ".inf", `".inf"`},
		{"1", ".nan", `".nan"`},
		{"1", "~", "null"},
		{"1", "TRUE", "true"},
		{"1", "yes", `"yes"`},
		{"1", "2001-01-01", `"2001-01-01"`},
		{"1", `"<&>\u2028"`, `"\u003c\u0026\u003e\u2028"`},
		{"1", "[a, {b: 1}]", `["a",{"b":1}]`},
		{"31", "0x1F", ""},
		{"1.0", "1", ""},
		{"~", "null", ""},
		{"true", "True", ""},
		{"'2001-01-01'", "2001-01-01", ""},
		{"12345678901234567890123", "12345678901234567890124", "12345678901234567890124"},
	} {
		t.Run(tt.before+" to "+tt.after, func(t *testing.T) {
			t.Parallel()
			out, err := exchange(t, one("    k: "+tt.before+"\n"), krm.View{}).Output([]byte(one("    k: "+tt.after+"\n")), krm.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, c := range out.Changes {
				got += string(c.After)
			}
			if got != tt.want {
				t.Errorf("after = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestOddSecretsAreMasked(t *testing.T) {
	t.Parallel()
	in := wrap("- apiVersion: v1\n  kind: Secret\n  metadata: {name: s}\n  data:\n    nested: {a: [hunter2, {b: hunter2}]}\n    number: 424242\n  stringData: {k: hunter2}\n")
	x := exchange(t, in, krm.View{})
	for _, s := range []string{"hunter2", "424242"} {
		if strings.Contains(string(x.Input()), s) {
			t.Errorf("the function sees %q:\n%s", s, x.Input())
		}
	}
	if x.Redacted() != 1 {
		t.Errorf("Redacted = %d, want 1", x.Redacted())
	}
	out, err := x.Output(x.Input(), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if got := encode(t, out.List); got != in || len(out.Changes) > 0 {
		t.Errorf("%v (-want +got):\n%s", out.Changes, cmp.Diff(in, got))
	}
	out, err = x.Output([]byte(wrap("  []\n")), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":{"nested":{"a":["[secret]",{"b":"[secret]"}]},"number":"[secret]"},"stringData":{"k":"[secret]"}}`
	if got := string(out.Changes[0].Before); got != want {
		t.Errorf("before = %s, want %s", got, want)
	}
}
