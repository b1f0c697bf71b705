package imagepolicy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/testdata/functions/internal/imagepolicy"
)

const sha256 = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParseImage(t *testing.T) {
	type image = imagepolicy.Image
	for _, c := range []struct {
		name string
		in   string
		want image
	}{
		{"official image", "nginx", image{Registry: "docker.io", Repository: "library/nginx", Short: true}},
		{"official image with a tag", "nginx:1.29", image{Registry: "docker.io", Repository: "library/nginx", Tag: "1.29", Short: true}},
		{"user's image", "alice/web:1", image{Registry: "docker.io", Repository: "alice/web", Tag: "1", Short: true}},
		{"docker hub named", "docker.io/nginx", image{Registry: "docker.io", Repository: "library/nginx"}},
		{"docker hub's old name", "index.docker.io/alice/web", image{Registry: "docker.io", Repository: "alice/web"}},
		{"registry", "ghcr.io/a/b/c:v1", image{Registry: "ghcr.io", Repository: "a/b/c", Tag: "v1"}},
		{"registry with a port", "registry:5000/web:1", image{Registry: "registry:5000", Repository: "web", Tag: "1"}},
		{"port and no tag", "registry:5000/web", image{Registry: "registry:5000", Repository: "web"}},
		{"a tag that looks like a port", "registry:5000", image{Registry: "docker.io", Repository: "library/registry", Tag: "5000", Short: true}},
		{"localhost", "localhost/web", image{Registry: "localhost", Repository: "web"}},
		{"a name without a dot is no registry", "registry/web", image{Registry: "docker.io", Repository: "registry/web", Short: true}},
		{"capitals in the registry", "GHCR.IO/a:V1", image{Registry: "ghcr.io", Repository: "a", Tag: "V1"}},
		{"IPv4", "127.0.0.1:5000/a", image{Registry: "127.0.0.1:5000", Repository: "a"}},
		{"IPv6", "[::1]:5000/a:1", image{Registry: "[::1]:5000", Repository: "a", Tag: "1"}},
		{"IPv6 without a port", "[2001:db8::1]/a", image{Registry: "[2001:db8::1]", Repository: "a"}},
		{"digest", "ghcr.io/a@" + sha256, image{Registry: "ghcr.io", Repository: "a", Digest: sha256}},
		{"tag and digest", "nginx:1@" + sha256, image{Registry: "docker.io", Repository: "library/nginx", Tag: "1", Digest: sha256, Short: true}},
		{"separators", "ghcr.io/a.b/c_d/e__f/g---h", image{Registry: "ghcr.io", Repository: "a.b/c_d/e__f/g---h"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := imagepolicy.ParseImage(c.in)
			if err != nil {
				t.Fatalf("ParseImage(%q) = %v, want no error", c.in, err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("ParseImage(%q) (-want +got):\n%s", c.in, diff)
			}
		})
	}
}

func TestParseImageRefuses(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", "is empty"},
		{"scheme", "https://ghcr.io/a", `has a malformed registry "https:"`},
		{"registry by its capitals", "Registry/web", `has a malformed repository "Registry/web"`},
		{"space", "ghcr.io/a b", `has a malformed repository "a b"`},
		{"newline", "ghcr.io/a\n", `has a malformed repository "a\n"`},
		{"newline in a tag", "ghcr.io/a:1\n", `has a malformed tag "1\n"`},
		{"newline in a digest", "ghcr.io/a@" + sha256 + "\n", "has a malformed digest"},
		{"capitals in the repository", "ghcr.io/A", `has a malformed repository "A"`},
		{"empty component", "ghcr.io//a", `has a malformed repository "/a"`},
		{"trailing slash", "ghcr.io/a/", `has a malformed repository "a/"`},
		{"dots", "ghcr.io/../a", `has a malformed repository "../a"`},
		{"empty tag", "ghcr.io/a:", `has a malformed tag ""`},
		{"long tag", "ghcr.io/a:" + strings.Repeat("1", 129), "has a malformed tag"},
		{"two digests", "ghcr.io/a@" + sha256 + "@" + sha256, "has a malformed digest"},
		{"short digest", "ghcr.io/a@sha256:01", "has a malformed digest"},
		{"capitals in the digest", "ghcr.io/a@" + strings.ToUpper(sha256), "has a malformed digest"},
		{"weak digest", "ghcr.io/a@md5:d41d8cd98f00b204e9800998ecf8427e", "has a malformed digest"},
		{"tag after the digest", "ghcr.io/a@" + sha256 + ":1", "has a malformed digest"},
		{"empty digest", "ghcr.io/a@", "has a malformed digest"},
		{"image ID", strings.TrimPrefix(sha256, "sha256:"), "is an image ID"},
		{"host without a path", "ghcr.io/", `has a malformed repository ""`},
		{"user in the host", "user:pw@ghcr.io/a", `has a malformed digest "ghcr.io/a"`},
		{"dash at the end of the host", "ghcr-.io/a", `has a malformed registry "ghcr-.io"`},
		{"letters for a port", "ghcr.io:http/a", `has a malformed registry "ghcr.io:http"`},
		{"long name", "ghcr.io/" + strings.Repeat("a", 250), "has a name of more than 255 characters"},
		{"Cyrillic letter in the host", "gh\u0441r.io/a", `has a malformed registry`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := imagepolicy.ParseImage(c.in)
			if err == nil {
				t.Fatalf("ParseImage(%q) = %v, want an error", c.in, got)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("ParseImage(%q) = %v, want %q in it", c.in, err, c.want)
			}
			if got != (imagepolicy.Image{}) {
				t.Errorf("ParseImage(%q) returned %v beside its error", c.in, got)
			}
		})
	}
}

// FuzzParseImage checks that a reference means the same when it is written out in full:
// no two readers of the full form can disagree on the registry.
func FuzzParseImage(f *testing.F) {
	for _, s := range []string{"nginx", "registry:5000/a:1", "ghcr.io/a/b@" + sha256, "Registry/web", "[::1]:5000/a", "index.docker.io/a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		image, err := imagepolicy.ParseImage(s)
		if err != nil {
			return
		}
		full := image.String()
		again, err := imagepolicy.ParseImage(full)
		if err != nil {
			t.Fatalf("ParseImage(%q) = %q, which cannot be parsed: %v", s, full, err)
		}
		if image.Short = false; again != image {
			t.Fatalf("ParseImage(%q) = %+v, but ParseImage(%q) = %+v", s, image, full, again)
		}
	})
}
