package oci

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The two places an artifact is read from.
const (
	// SourceRegistry marks a reference into a registry that speaks the OCI distribution protocol.
	SourceRegistry = "registry"
	// SourceLayout marks a reference into an OCI image layout, a directory on disk.
	SourceLayout = "oci-layout"
)

const (
	layoutPrefix     = "oci-layout:"
	digestPrefix     = "sha256:"
	maxRefBytes      = 4096
	maxRegistryBytes = 255
	maxNameBytes     = 255
	maxTagBytes      = 128
)

// Ref names one artifact. ParseRef alone makes one that is known to be well formed; the zero Ref names nothing and no
// method of Client accepts it.
type Ref struct {
	// Source is SourceRegistry or SourceLayout.
	Source string
	// Registry is the host, with its port where one was written, lower case. Empty for an OCI layout.
	Registry string
	// Repository is the path inside the registry. Empty for an OCI layout.
	Repository string
	// Dir is the cleaned path of an OCI layout. Empty for a registry.
	Dir string
	// Tag is the movable name, or empty.
	Tag string
	// Digest is "sha256:" and 64 lower-case hexadecimal digits, or empty. Where a Tag stands beside it, the tag must
	// lead to this digest or the artifact is refused.
	Digest string
}

// RefError says why a string is not a reference.
type RefError struct {
	// Ref is the string as it was given.
	Ref string
	// Code is the stable dotted reason, such as "ref.scheme".
	Code string
	// Reason is the sentence for people.
	Reason string
	// Hint is the remedy, where there is one.
	Hint string
}

// Error says what is wrong with the reference.
func (e *RefError) Error() string {
	return fmt.Sprintf("reference %q: %s", shorten(e.Ref, 200), e.Reason)
}

// ParseRef reads `registry/repository[:tag][@sha256:…]` or `oci-layout:DIR[:tag][@sha256:…]`. It is strict, because two
// readers who disagree on a reference are how a policy is talked past: the canonical lower-case form only, a registry
// host always (no implied docker.io), a tag or a digest always for a registry (no implied latest), sha256 only, no
// scheme, no user information, nothing that a command line could take for an option, and no link-local or otherwise
// unroutable host such as a cloud's metadata service. Loopback and private hosts are references like any other: the
// trust policy says which references may be used. The error is a *RefError.
func ParseRef(s string) (Ref, error) {
	switch {
	case s == "":
		return Ref{}, refError(s, "ref.empty", "it is empty", "give registry/repository@sha256:…, registry/repository:tag or oci-layout:DIR")
	case len(s) > maxRefBytes:
		return Ref{}, refError(s, "ref.length", fmt.Sprintf("it is %d bytes long, more than %d", len(s), maxRefBytes), "")
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || !unicode.IsPrint(r) }):
		return Ref{}, refError(s, "ref.character", "it holds a character that cannot be printed", "")
	case s[0] == '-':
		return Ref{}, refError(s, "ref.option", "it looks like an option", "a reference begins with a registry host or oci-layout:")
	}
	if dir, ok := strings.CutPrefix(s, layoutPrefix); ok {
		return parseLayout(s, dir)
	}
	return parseRegistry(s)
}

// String gives the canonical form: ParseRef of it yields the same Ref.
func (r Ref) String() string {
	var b strings.Builder
	if r.Source == SourceLayout {
		b.WriteString(layoutPrefix + r.Dir)
	} else {
		b.WriteString(r.Registry + "/" + r.Repository)
	}
	if r.Tag != "" {
		b.WriteString(":" + r.Tag)
	}
	if r.Digest != "" {
		b.WriteString("@" + r.Digest)
	}
	return b.String()
}

// Pinned reports whether the reference names its bytes by digest.
func (r Ref) Pinned() bool { return r.Digest != "" }

func refError(s, code, reason, hint string) *RefError {
	return &RefError{Ref: s, Code: code, Reason: reason, Hint: hint}
}

func parseLayout(s, rest string) (Ref, error) {
	if strings.HasPrefix(rest, "//") {
		return Ref{}, refError(s, "ref.scheme", "oci-layout takes a path, not a URL", "write oci-layout:DIR or oci-layout:/absolute/DIR")
	}
	ref := Ref{Source: SourceLayout}
	slash := strings.LastIndexByte(rest, '/')
	if at := strings.IndexByte(rest[slash+1:], '@'); at >= 0 {
		at += slash + 1
		var err *RefError
		if ref.Digest, err = parseDigest(s, rest[at+1:]); err != nil {
			return Ref{}, err
		}
		rest = rest[:at]
	}
	if colon := strings.LastIndexByte(rest, ':'); colon > slash {
		ref.Tag, rest = rest[colon+1:], rest[:colon]
		if !validTag(ref.Tag) {
			return Ref{}, refError(s, "ref.tag", fmt.Sprintf("%q is not a tag", ref.Tag), "a tag is up to 128 letters, digits, '.', '_' and '-'")
		}
	}
	if rest == "" {
		return Ref{}, refError(s, "ref.dir", "the directory is missing", "write oci-layout:DIR[:tag|@sha256:…]")
	}
	ref.Dir = filepath.Clean(rest)
	if strings.ContainsAny(filepath.Base(ref.Dir), ":@") {
		return Ref{}, refError(s, "ref.dir", "the directory's own name holds ':' or '@', which could be read as a tag or digest", "rename the directory")
	}
	return ref, nil
}

func parseRegistry(s string) (Ref, error) {
	if scheme, _, ok := strings.Cut(s, "://"); ok {
		return Ref{}, refError(s, "ref.scheme", fmt.Sprintf("it begins with the scheme %q", scheme+"://"), "drop the scheme: registry/repository:tag")
	}
	host, rest, ok := strings.Cut(s, "/")
	if !ok || !looksLikeHost(host) {
		return Ref{}, refError(s, "ref.registry", "it names no registry", "write the registry too: ghcr.io/owner/name:tag, or docker.io/library/name:tag for Docker Hub")
	}
	if err := checkHost(s, host); err != nil {
		return Ref{}, err
	}
	ref := Ref{Source: SourceRegistry, Registry: host}
	if name, digest, ok := strings.Cut(rest, "@"); ok {
		var err *RefError
		if ref.Digest, err = parseDigest(s, digest); err != nil {
			return Ref{}, err
		}
		rest = name
	}
	if name, tag, ok := strings.Cut(rest, ":"); ok {
		if !validTag(tag) {
			return Ref{}, refError(s, "ref.tag", fmt.Sprintf("%q is not a tag", tag), "a tag is up to 128 letters, digits, '.', '_' and '-'")
		}
		ref.Tag, rest = tag, name
	}
	if err := checkRepository(s, host, rest); err != nil {
		return Ref{}, err
	}
	ref.Repository = rest
	if ref.Tag == "" && ref.Digest == "" {
		return Ref{}, refError(s, "ref.unversioned", "it has neither tag nor digest", "add @sha256:… (or :tag); latest is never assumed")
	}
	return ref, nil
}

// looksLikeHost tells a registry from the first part of a repository, as every registry client does: by a dot, a port, or
// the name localhost. An '@' or an upper-case letter goes to checkHost, which has the better sentence.
func looksLikeHost(host string) bool {
	return strings.EqualFold(host, "localhost") || strings.ContainsAny(host, ".:@[")
}

func checkHost(s, hostport string) *RefError {
	switch {
	case strings.Contains(hostport, "@"):
		return refError(s, "ref.userinfo", "it carries user information before the host", "log in with docker login or podman login; credentials never belong in a reference")
	case strings.ToLower(hostport) != hostport:
		return refError(s, "ref.case", "the registry host is not lower case", "write "+strconv.Quote(strings.ToLower(shorten(hostport, maxRegistryBytes))))
	case len(hostport) > maxRegistryBytes:
		return refError(s, "ref.registry", "the registry host is longer than 255 bytes", "")
	case hostport == "index.docker.io" || hostport == "registry-1.docker.io":
		return refError(s, "ref.registry", "Docker Hub has one name here", "write docker.io")
	}
	host, port, err := splitHostPort(hostport)
	if err != nil {
		return refError(s, "ref.registry", err.Error(), "")
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return refError(s, "ref.registry", fmt.Sprintf("%q is not a port", port), "")
		}
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.String() != host || addr.Zone() != "" || addr.Is4In6() {
			return refError(s, "ref.registry", fmt.Sprintf("%q is not the canonical form of that address", host), "write "+addr.Unmap().WithZone("").String())
		}
		if unroutable(addr) {
			return refError(s, "ref.host", fmt.Sprintf("%s is a link-local, multicast or unspecified address", addr), "no registry lives there; cloud metadata services do")
		}
		return nil
	}
	if !validDomain(host) {
		return refError(s, "ref.registry", fmt.Sprintf("%q is not a host name", host), "")
	}
	return nil
}

// unroutable reports addresses that are never a registry: link-local (where clouds keep their metadata service),
// multicast and unspecified ones.
func unroutable(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified()
}

func splitHostPort(s string) (host, port string, err error) {
	if rest, ok := strings.CutPrefix(s, "["); ok {
		host, rest, ok = strings.Cut(rest, "]")
		if !ok || (rest != "" && rest[0] != ':') || rest == ":" {
			return "", "", fmt.Errorf("%q is not an address in brackets", s)
		}
		if a, err := netip.ParseAddr(host); err != nil || !a.Is6() {
			return "", "", fmt.Errorf("%q is not an IPv6 address", host)
		}
		return host, strings.TrimPrefix(rest, ":"), nil
	}
	host, port, ok := strings.Cut(s, ":")
	if ok && (port == "" || strings.Contains(port, ":")) {
		return "", "", fmt.Errorf("%q is not a host with a port", s)
	}
	return host, port, nil
}

// validDomain accepts RFC 1123 names. A last label of digits alone is no name but an odd spelling of an IPv4 address
// (127.1, 0x7f.1, 2130706433), which resolvers read differently from people.
func validDomain(host string) bool {
	labels := strings.Split(host, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	last := labels[len(labels)-1]
	return strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(last, "0x")
}

func checkRepository(s, host, repo string) *RefError {
	switch {
	case repo == "":
		return refError(s, "ref.repository", "the repository is missing", "")
	case len(repo) > maxNameBytes:
		return refError(s, "ref.repository", "the repository is longer than 255 bytes", "")
	case strings.ToLower(repo) != repo:
		return refError(s, "ref.case", "the repository is not lower case", "write "+strconv.Quote(host+"/"+strings.ToLower(repo)+s[len(host)+1+len(repo):]))
	case host == "docker.io" && !strings.Contains(repo, "/"):
		return refError(s, "ref.repository", "Docker Hub repositories have an owner", "write docker.io/library/"+shorten(repo, maxNameBytes))
	}
	for part := range strings.SplitSeq(repo, "/") {
		if !validComponent(part) {
			return refError(s, "ref.repository", fmt.Sprintf("%q is not a part of a repository name", part), "lower-case letters and digits, parted by '.', '_', '__' or '-'")
		}
	}
	return nil
}

// validComponent is the distribution specification's path component: [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*.
func validComponent(s string) bool {
	alnum := func(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
	if s == "" || !alnum(s[0]) || !alnum(s[len(s)-1]) {
		return false
	}
	for i := 0; i < len(s); {
		if alnum(s[i]) {
			i++
			continue
		}
		j := i
		for !alnum(s[j]) {
			j++
		}
		if sep := s[i:j]; sep != "." && sep != "_" && sep != "__" && strings.Trim(sep, "-") != "" {
			return false
		}
		i = j
	}
	return true
}

func validTag(s string) bool {
	if s == "" || len(s) > maxTagBytes || s[0] == '.' || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func parseDigest(s, d string) (string, *RefError) {
	if validDigest(d) {
		return d, nil
	}
	switch algorithm, _, ok := strings.Cut(d, ":"); {
	case ok && algorithm == "sha256":
		return "", refError(s, "ref.digest", "the digest is not 64 lower-case hexadecimal digits", "")
	case ok && (algorithm == "sha384" || algorithm == "sha512" || algorithm == "sha1" || algorithm == "md5"):
		return "", refError(s, "ref.digest", fmt.Sprintf("the digest algorithm %q is not accepted", algorithm), "use the sha256 digest")
	default:
		return "", refError(s, "ref.digest", "what follows '@' is no sha256 digest", "write @sha256: and 64 hexadecimal digits; user information is not accepted")
	}
}

func validDigest(d string) bool {
	hex, ok := strings.CutPrefix(d, digestPrefix)
	return ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}

// shorten cuts foreign text for a message.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
