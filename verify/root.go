package verify

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// publicGood is the trusted root of the public Sigstore instance, taken from
// the TUF seeds that the npm package @sigstore/tuf 5.0.1 carries.
//
//go:embed trusted_root.json
var publicGood []byte

// PublicGoodDate is the day on which the embedded trusted root of the public
// Sigstore instance was published. Signatures that were made with a log or
// authority that is newer do not verify with it: give a newer root then.
const PublicGoodDate = "2026-11-05"

// Bounds on a trusted root.
const (
	maxRootBytes = 4 << 20
	maxRoots     = 16
)

// PublicGood returns the embedded trusted root, JSON. It is the caller's copy.
func PublicGood() []byte { return bytes.Clone(publicGood) }

// A trustRoot is a TrustRoot that New has read. It is nil where none is given.
type trustRoot struct {
	material root.TrustedMaterialCollection
	digest   string // of all the JSON
}

func compileRoot(r *TrustRoot) (*trustRoot, error) {
	if !r.PublicGood && len(r.JSON) == 0 {
		return nil, nil
	}
	source := r.Source
	if source == "" {
		source = "the trusted root"
	}
	refuse := func(format string, args ...any) (*trustRoot, error) {
		return nil, &PolicyError{
			Code: "trust.root", Field: "trustRoot", Message: source + ": " + fmt.Sprintf(format, args...),
			Hint: "make one with `cosign trusted-root create`, or leave it out to use the public Sigstore instance",
		}
	}
	if len(r.JSON) > maxRootBytes {
		return refuse("it is %d bytes; at most %d are read", len(r.JSON), maxRootBytes)
	}
	var documents []json.RawMessage
	if r.PublicGood {
		documents = append(documents, publicGood)
	}
	dec := json.NewDecoder(bytes.NewReader(r.JSON))
	for {
		var doc json.RawMessage
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return refuse("it is not JSON: %s", oneLine(err.Error()))
		}
		if documents = append(documents, doc); len(documents) > maxRoots {
			return refuse("it holds more than %d trusted roots", maxRoots)
		}
	}
	out := &trustRoot{}
	sum := sha256.New()
	for i, doc := range documents {
		m, err := readRoot(doc)
		if err != nil {
			return refuse("trusted root %d cannot be read: %s", i+1, oneLine(err.Error()))
		}
		out.material = append(out.material, m)
		sum.Write(doc)
	}
	out.digest = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	return out, nil
}

// readRoot reads one document. A trusted root comes from the user, but a
// broken one must not end the program either.
func readRoot(doc []byte) (m *root.TrustedRoot, err error) {
	defer func() {
		if r := recover(); r != nil {
			m, err = nil, fmt.Errorf("it makes the reader panic: %v", r)
		}
	}()
	if _, err := scanJSON(doc, scanLimits{depth: 24, tokens: 20_000}); err != nil {
		return nil, err
	}
	return root.NewTrustedRootFromJSON(doc)
}
