package oci

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Media types of manifests and indexes.
const (
	typeOCIManifest    = "application/vnd.oci.image.manifest.v1+json"
	typeOCIIndex       = "application/vnd.oci.image.index.v1+json"
	typeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	typeDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// manifestTypes is what a registry is asked for.
var manifestTypes = []string{typeOCIManifest, typeOCIIndex, typeDockerManifest, typeDockerList}

// descriptor points at a blob or manifest. It is foreign: nothing in it holds until the bytes are hashed.
type descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	URLs         []string          `json:"urls,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Platform     *platform         `json:"platform,omitempty"`
}

type platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
}

func (p *platform) String() string {
	if p == nil {
		return "unknown"
	}
	return p.OS + "/" + p.Architecture
}

// manifest is a manifest or an index; which of the two is settled by parseDocument.
type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType,omitempty"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Config        *descriptor       `json:"config,omitempty"`
	Layers        []descriptor      `json:"layers,omitempty"`
	Manifests     []descriptor      `json:"manifests,omitempty"`
	Subject       *descriptor       `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// document is a manifest or index with the bytes it was read from and their digest.
type document struct {
	manifest
	digest    string
	mediaType string
	body      []byte
}

func (d document) isIndex() bool { return d.mediaType == typeOCIIndex || d.mediaType == typeDockerList }

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return digestPrefix + hex.EncodeToString(sum[:])
}

// parseDocument reads a manifest or index. announced is the media type it came under (a Content-Type or a descriptor) and may be
// empty. A body that says it is something else, a body with the parts of both kinds, a key written twice: all are refused, since
// another reader could see another artifact in them (GHSA-77vh-xpmg-72qh).
func parseDocument(body []byte, announced string, l Limits) (document, error) {
	doc := document{digest: digestOf(body), body: body}
	refuse := func(code, format string, args ...any) (document, error) {
		return document{}, &ArtifactError{Code: code, Digest: doc.digest, Message: "manifest " + doc.digest + " " + fmt.Sprintf(format, args...)}
	}
	if err := checkJSON(body, l.depth()); err != nil {
		var le *LimitError
		if errors.As(err, &le) {
			return document{}, le
		}
		return refuse("artifact.malformed", "is not well-formed: %v", err)
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(body, &parts); err != nil {
		return refuse("artifact.malformed", "is not a JSON object")
	}
	if err := json.Unmarshal(body, &doc.manifest); err != nil {
		return refuse("artifact.malformed", "is malformed: %s", jsonReason(err))
	}
	if doc.SchemaVersion != 2 {
		return refuse("artifact.media_type", "has schema version %d, which is not supported", doc.SchemaVersion)
	}
	announced, _, _ = strings.Cut(announced, ";")
	announced = strings.TrimSpace(announced)
	doc.mediaType = doc.MediaType
	switch {
	case announced == "" && doc.MediaType == "":
		return refuse("artifact.media_type", "has no media type")
	case doc.MediaType == "":
		doc.mediaType = announced
	case announced != "" && announced != doc.MediaType:
		return refuse("artifact.media_type", "was announced as %q but says of itself that it is %q", announced, doc.MediaType)
	}
	switch doc.mediaType {
	case typeOCIManifest, typeDockerManifest:
		if parts["manifests"] != nil {
			return refuse("artifact.type_confusion", "is an image manifest that lists manifests as an index does")
		}
		if doc.Config == nil {
			return refuse("artifact.malformed", "has no config")
		}
	case typeOCIIndex, typeDockerList:
		if parts["layers"] != nil || parts["config"] != nil {
			return refuse("artifact.type_confusion", "is an index that has a config or layers as a manifest does")
		}
	default:
		return refuse("artifact.media_type", "has the media type %q, which is not supported", shorten(doc.mediaType, 100))
	}
	return doc, doc.checkDescriptors(l)
}

// checkDescriptors holds every descriptor of the document to its form, and their number to its limit.
func (d document) checkDescriptors(l Limits) error {
	if n := int64(len(d.Layers)); n > l.Layers {
		return l.layers().exceeded("layers of manifest "+d.digest, n)
	}
	if n := int64(len(d.Manifests)); n > l.IndexEntries {
		return l.entries().exceeded("manifests of index "+d.digest, n)
	}
	all := append(append([]descriptor{}, d.Layers...), d.Manifests...)
	if d.Config != nil {
		all = append(all, *d.Config)
	}
	if d.Subject != nil {
		all = append(all, *d.Subject)
	}
	for _, p := range all {
		if err := p.check(); err != nil {
			return &ArtifactError{Code: "artifact.malformed", Digest: d.digest, Message: fmt.Sprintf("manifest %s: %v", d.digest, err)}
		}
	}
	return nil
}

func (d descriptor) check() error {
	switch {
	case !validDigest(d.Digest):
		return fmt.Errorf("%q is not a sha256 digest", shorten(d.Digest, 100))
	case d.Size < 0:
		return fmt.Errorf("descriptor %s has the size %d", d.Digest, d.Size)
	case d.MediaType == "":
		return fmt.Errorf("descriptor %s has no media type", d.Digest)
	}
	return nil
}

// checkJSON refuses what encoding/json lets pass: a second value after the first, and a key that is written twice in one object,
// also where the two differ only in case (encoding/json would take either for the same field).
func checkJSON(body []byte, depth bound) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := checkValue(dec, depth, 1, false); err != nil {
		var le *LimitError
		if errors.As(err, &le) {
			return le
		}
		return errors.New(jsonReason(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more follows after the document")
	}
	return nil
}

func checkValue(dec *json.Decoder, depth bound, level int64, exact bool) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	delim, ok := tok.(json.Delim)
	if !ok {
		return nil
	}
	if level > depth.max {
		return depth.exceeded("nesting of a manifest", level)
	}
	seen := map[string]bool{}
	for dec.More() {
		inner := false
		if delim == '{' {
			key, err := dec.Token()
			if err != nil {
				return err
			}
			name, _ := key.(string)
			inner = name == "annotations" // its keys are data, so that "A" and "a" may stand side by side
			if !exact {
				name = strings.ToLower(name)
			}
			if seen[name] {
				return fmt.Errorf("the key %q is written twice", shorten(name, 100))
			}
			seen[name] = true
		}
		if err := checkValue(dec, depth, level+1, inner); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

// jsonReason words a decoder's error without Go's type names.
func jsonReason(err error) string {
	var ute *json.UnmarshalTypeError
	switch {
	case errors.As(err, &ute):
		return fmt.Sprintf("field %q cannot be a %s", ute.Field, ute.Value)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "it ends in the middle"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}
