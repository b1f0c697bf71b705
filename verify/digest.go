package verify

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"strings"
)

// A digest is a parsed "algorithm:hex" string.
type digest struct {
	algorithm string
	bytes     []byte
}

func (d digest) String() string { return d.algorithm + ":" + hex.EncodeToString(d.bytes) }

// hexLength maps the algorithms a statement may name for our subjects to the
// length of their hex form.
var hexLength = map[string]int{"sha256": 64, "sha384": 96, "sha512": 128}

// parseDigest accepts lower-case hex only, so that one digest has one spelling.
func parseDigest(s string) (digest, error) {
	algorithm, text, ok := strings.Cut(s, ":")
	if !ok || hexLength[algorithm] == 0 {
		return digest{}, fmt.Errorf("digest %q: want sha256:, sha384: or sha512: and lower-case hex", s)
	}
	b, err := hex.DecodeString(text)
	if err != nil || len(text) != hexLength[algorithm] || text != strings.ToLower(text) {
		return digest{}, fmt.Errorf("digest %q: want %d lower-case hex digits after its algorithm", s, hexLength[algorithm])
	}
	return digest{algorithm: algorithm, bytes: b}, nil
}

// subjectDigests returns every digest that a signature of s may name, the main
// one first.
func subjectDigests(s Subject) ([]digest, error) {
	main, err := parseDigest(s.Digest)
	if err != nil {
		return nil, fmt.Errorf("verifying %q: %w", s.Reference, err)
	}
	if main.algorithm != "sha256" {
		return nil, fmt.Errorf("verifying %q: digest %q: subjects are named by sha256", s.Reference, s.Digest)
	}
	if d, ok := referenceDigest(s.Reference); ok && d.String() != s.Digest {
		return nil, fmt.Errorf("verifying %q: it was resolved to another digest, %s", s.Reference, s.Digest)
	}
	out := []digest{main}
	if s.Content != nil {
		if got := digestOf(s.Content); got.String() != s.Digest {
			return nil, fmt.Errorf("verifying %q: its content has the digest %s, not %s", s.Reference, got, s.Digest)
		}
		sum384, sum512 := sha512.Sum384(s.Content), sha512.Sum512(s.Content)
		out = append(out, digest{"sha384", sum384[:]}, digest{"sha512", sum512[:]})
	}
	for _, also := range s.AlsoDigests {
		d, err := parseDigest(also)
		if err != nil {
			return nil, fmt.Errorf("verifying %q: %w", s.Reference, err)
		}
		out = append(out, d)
	}
	return out, nil
}

// referenceDigest returns the digest that a reference names itself. Paths of
// files name none.
func referenceDigest(reference string) (digest, bool) {
	if strings.HasPrefix(reference, "file:") {
		return digest{}, false
	}
	at := strings.LastIndexByte(reference, '@')
	if at < 0 {
		return digest{}, false
	}
	d, err := parseDigest(reference[at+1:])
	return d, err == nil
}

func digestOf(content []byte) digest {
	sum := sha256.Sum256(content)
	return digest{algorithm: "sha256", bytes: sum[:]}
}
