package oci_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/oci"
)

const hexD = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParseRef(t *testing.T) {
	t.Parallel()
	d := "sha256:" + hexD
	for _, tt := range []struct {
		in   string
		want oci.Ref
	}{
		{"ghcr.io/acme/fns/label:v1", oci.Ref{Source: "registry", Registry: "ghcr.io", Repository: "acme/fns/label", Tag: "v1"}},
		{"ghcr.io/acme/fn@" + d, oci.Ref{Source: "registry", Registry: "ghcr.io", Repository: "acme/fn", Digest: d}},
		{"ghcr.io/acme/fn:v1@" + d, oci.Ref{Source: "registry", Registry: "ghcr.io", Repository: "acme/fn", Tag: "v1", Digest: d}},
		{"localhost/fn:v1", oci.Ref{Source: "registry", Registry: "localhost", Repository: "fn", Tag: "v1"}},
		{"127.0.0.1:5000/a__b/c-d.e:V_1.0", oci.Ref{Source: "registry", Registry: "127.0.0.1:5000", Repository: "a__b/c-d.e", Tag: "V_1.0"}},
		{"[::1]:5000/fn:v1", oci.Ref{Source: "registry", Registry: "[::1]:5000", Repository: "fn", Tag: "v1"}},
		{"10.1.2.3:8443/a---b:v1", oci.Ref{Source: "registry", Registry: "10.1.2.3:8443", Repository: "a---b", Tag: "v1"}},
		{"oci-layout:out", oci.Ref{Source: "oci-layout", Dir: "out"}},
		{"oci-layout:./out/", oci.Ref{Source: "oci-layout", Dir: "out"}},
		{"oci-layout:/a:b/out:v1", oci.Ref{Source: "oci-layout", Dir: "/a:b/out", Tag: "v1"}},
		{"oci-layout:../out@" + d, oci.Ref{Source: "oci-layout", Dir: "../out", Digest: d}},
		{"oci-layout:out:v1@" + d, oci.Ref{Source: "oci-layout", Dir: "out", Tag: "v1", Digest: d}},
	} {
		t.Run(tt.in, func(t *testing.T) {
			t.Parallel()
			got, err := oci.ParseRef(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("ParseRef(%q) (-want +got):\n%s", tt.in, diff)
			}
			if got.Pinned() != (tt.want.Digest != "") {
				t.Errorf("Pinned() = %v", got.Pinned())
			}
		})
	}
}

func TestParseRefRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, code string }{
		{"empty", "", "ref.empty"},
		{"too long", "ghcr.io/" + strings.Repeat("a", 5000), "ref.length"},
		{"option", "--key=x", "ref.option"},
		{"newline", "ghcr.io/a:v1\n", "ref.character"},
		{"escape", "ghcr.io/a\x1b[0m:v1", "ref.character"},
		{"bidi", "ghcr.io/a\u202e:v1", "ref.character"},
		{"not utf-8", "ghcr.io/\xff:v1", "ref.character"},
		{"https scheme", "https://ghcr.io/acme/fn:v1", "ref.scheme"},
		{"docker scheme", "docker://ghcr.io/acme/fn:v1", "ref.scheme"},
		{"layout url", "oci-layout://out:v1", "ref.scheme"},
		{"implied docker.io", "acme/fn:v1", "ref.registry"},
		{"bare name", "fn:v1", "ref.registry"},
		{"index.docker.io", "index.docker.io/library/fn:v1", "ref.registry"},
		{"hub without owner", "docker.io/fn:v1", "ref.repository"},
		{"userinfo", "user@ghcr.io/acme/fn:v1", "ref.userinfo"},
		{"userinfo with password", "user:pw@ghcr.io/acme/fn:v1", "ref.userinfo"},
		{"upper-case host", "GHCR.io/acme/fn:v1", "ref.case"},
		{"upper-case repository", "ghcr.io/Acme/fn:v1", "ref.case"},
		{"metadata service", "169.254.169.254/latest/meta:v1", "ref.host"},
		{"link-local v6", "[fe80::1]:80/fn:v1", "ref.host"},
		{"unspecified", "0.0.0.0:5000/fn:v1", "ref.host"},
		{"short IPv4", "127.1:5000/fn:v1", "ref.registry"},
		{"octal IPv4", "0177.0.0.1/fn:v1", "ref.registry"},
		{"decimal IPv4", "2130706433:80/fn:v1", "ref.registry"},
		{"hex IPv4", "127.0.0.0x1/fn:v1", "ref.registry"},
		{"mapped IPv4", "[::ffff:127.0.0.1]/fn:v1", "ref.registry"},
		{"long IPv6", "[0:0:0:0:0:0:0:1]/fn:v1", "ref.registry"},
		{"trailing dot", "ghcr.io./fn:v1", "ref.registry"},
		{"port zero", "ghcr.io:0/fn:v1", "ref.registry"},
		{"port leading zero", "ghcr.io:080/fn:v1", "ref.registry"},
		{"port too large", "ghcr.io:65536/fn:v1", "ref.registry"},
		{"homoglyph host", "ghcг.io/fn:v1", "ref.registry"},
		{"double slash", "ghcr.io//fn:v1", "ref.repository"},
		{"dot dot", "ghcr.io/a/../b:v1", "ref.repository"},
		{"percent", "ghcr.io/a%2fb:v1", "ref.repository"},
		{"query", "ghcr.io/a?x:v1", "ref.repository"},
		{"three underscores", "ghcr.io/a___b:v1", "ref.repository"},
		{"empty tag", "ghcr.io/fn:", "ref.tag"},
		{"option tag", "ghcr.io/fn:-x", "ref.tag"},
		{"two tags", "ghcr.io/fn:a:b", "ref.tag"},
		{"sha512", "ghcr.io/fn@sha512:" + hexD + hexD, "ref.digest"},
		{"upper-case digest", "ghcr.io/fn@sha256:" + strings.ToUpper(hexD), "ref.digest"},
		{"short digest", "ghcr.io/fn@sha256:abc", "ref.digest"},
		{"two digests", "ghcr.io/fn@sha256:" + hexD + "@sha256:" + hexD, "ref.digest"},
		{"no version", "ghcr.io/acme/fn", "ref.unversioned"},
		{"layout without dir", "oci-layout:", "ref.dir"},
		{"layout with tag alone", "oci-layout::v1", "ref.dir"},
		{"layout colon dir", "oci-layout:a:b/.", "ref.dir"},
		{"layout digest", "oci-layout:a@b", "ref.digest"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := oci.ParseRef(tt.in)
			var re *oci.RefError
			if !errors.As(err, &re) {
				t.Fatalf("ParseRef(%q) = %+v, %v, want *RefError", tt.in, got, err)
			}
			if re.Code != tt.code || got != (oci.Ref{}) {
				t.Errorf("ParseRef(%q) = %+v, code %s (%v), want %s", tt.in, got, re.Code, err, tt.code)
			}
		})
	}
}

// FuzzParseRef holds that whatever is accepted has one spelling: parse, print and parse again yield the same reference.
func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"ghcr.io/a/b:v1", "ghcr.io/a@sha256:" + hexD, "oci-layout:a/b:c", "[::1]:5/a:b", "oci-layout:a:b/.", "x@y.z/a:b", "127.1/a:b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := oci.ParseRef(s)
		if err != nil {
			if ref != (oci.Ref{}) {
				t.Fatalf("ParseRef(%q) returned both %+v and %v", s, ref, err)
			}
			return
		}
		again, err := oci.ParseRef(ref.String())
		if err != nil || again != ref {
			t.Fatalf("ParseRef(%q) = %+v, but its String %q parses to %+v, %v", s, ref, ref.String(), again, err)
		}
		if ref.Source == oci.SourceRegistry && ref.String() != s {
			t.Fatalf("ParseRef(%q).String() = %q: a registry reference has one spelling", s, ref.String())
		}
	})
}

// The remedy for capital letters is a whole reference, which parses.
func TestCaseHintIsAReference(t *testing.T) {
	t.Parallel()
	_, err := oci.ParseRef("ghcr.io/Acme/Fn:V1")
	var re *oci.RefError
	if !errors.As(err, &re) || re.Hint != `write "ghcr.io/acme/fn:V1"` {
		t.Errorf("ParseRef = %v, hint %q", err, re.Hint)
	}
}
