package imagepolicy

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Image is a container image reference with its defaults filled in.
type Image struct {
	Registry   string // host[:port] in lower case, docker.io where none is named
	Repository string // path below the registry, with library/ where Docker Hub implies it
	Tag        string // empty where none is named
	Digest     string // algorithm:hex, empty where none is named
	Short      bool   // the reference leaves its registry to the runtime's default
}

// String returns the full reference: registry, repository, and what it names of tag
// and digest.
func (i Image) String() string {
	s := i.Registry + "/" + i.Repository
	if i.Tag != "" {
		s += ":" + i.Tag
	}
	if i.Digest != "" {
		s += "@" + i.Digest
	}
	return s
}

// The grammar of https://github.com/distribution/reference/blob/main/reference.go, as
// far as container runtimes accept it.
var (
	host      = regexp.MustCompile(`^([A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?$`)
	component = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$`)
	tag       = regexp.MustCompile(`^[A-Za-z0-9_][-A-Za-z0-9_.]{0,127}$`)
	digest    = regexp.MustCompile(`^(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$`)
	imageID   = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// maxRepository is the most characters that a registry and repository may have together.
const maxRepository = 255

// ParseImage reads an image reference the way a container runtime does. The first
// component is a registry only where it holds a dot or a colon, or is localhost; else
// the registry is docker.io. A registry that some runtimes know only by its capital
// letters (Registry/web) is refused: written in lower case it is another image.
func ParseImage(s string) (Image, error) {
	if s == "" {
		return Image{}, errors.New("is empty")
	}
	rest, sum, pinned := strings.Cut(s, "@")
	if pinned && !digest.MatchString(sum) {
		return Image{}, fmt.Errorf("has a malformed digest %q", sum)
	}
	image := Image{Digest: sum}
	// A colon after the last slash starts a tag; one before it belongs to a port.
	if colon := strings.LastIndexByte(rest, ':'); colon > strings.LastIndexByte(rest, '/') {
		image.Tag, rest = rest[colon+1:], rest[:colon]
		if !tag.MatchString(image.Tag) {
			return Image{}, fmt.Errorf("has a malformed tag %q", image.Tag)
		}
	}
	if imageID.MatchString(rest) {
		return Image{}, errors.New("is an image ID, not the name of an image")
	}
	first, path, found := strings.Cut(rest, "/")
	if found && isHost(first) {
		image.Registry, image.Repository = first, path
	} else {
		image.Registry, image.Repository, image.Short = dockerHub, rest, true
	}
	if err := image.normalise(); err != nil {
		return Image{}, err
	}
	return image, nil
}

// dockerHub is the registry of references that name none.
const dockerHub = "docker.io"

// isHost tells whether the first component of a reference names a registry.
func isHost(s string) bool {
	return strings.ContainsAny(s, ".:") || s == "localhost"
}

// normalise brings the registry and repository into the form in which they are
// compared, and refuses what is neither.
func (i *Image) normalise() error {
	if !host.MatchString(i.Registry) {
		return fmt.Errorf("has a malformed registry %q", i.Registry)
	}
	i.Registry = strings.ToLower(i.Registry)
	if i.Registry == "index.docker.io" {
		i.Registry = dockerHub
	}
	for c := range strings.SplitSeq(i.Repository, "/") {
		if !component.MatchString(c) {
			return fmt.Errorf("has a malformed repository %q", i.Repository)
		}
	}
	if i.Registry == dockerHub && !strings.Contains(i.Repository, "/") {
		i.Repository = "library/" + i.Repository
	}
	if len(i.Registry)+1+len(i.Repository) > maxRepository {
		return fmt.Errorf("has a name of more than %d characters", maxRepository)
	}
	return nil
}

// prefix is one entry of allowedRegistries.
type prefix struct{ registry, repository string }

// parsePrefix reads a registry with an optional repository prefix. Unlike in a
// reference, the registry is never left out.
func parsePrefix(s string) (prefix, error) {
	registry, repository, found := strings.Cut(s, "/")
	if !isHost(registry) || !host.MatchString(registry) {
		return prefix{}, errors.New("does not start with a registry, such as docker.io or registry.example.com:5000")
	}
	registry = strings.ToLower(registry)
	if registry == "index.docker.io" {
		registry = dockerHub
	}
	if found {
		for c := range strings.SplitSeq(repository, "/") {
			if !component.MatchString(c) {
				return prefix{}, fmt.Errorf("has a malformed repository prefix %q", repository)
			}
		}
	}
	return prefix{registry, repository}, nil
}

// covers tells whether the image lies under the prefix, by whole path components:
// ghcr.io/shop covers ghcr.io/shop/cart and not ghcr.io/shopping/cart.
func (p prefix) covers(i Image) bool {
	if p.registry != i.Registry {
		return false
	}
	return p.repository == "" || p.repository == i.Repository || strings.HasPrefix(i.Repository, p.repository+"/")
}
