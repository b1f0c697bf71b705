package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
)

// Media types of conftest's policies in a registry, and of OPA's bundles there.
const (
	MediaTypePolicyLayer = "application/vnd.cncf.openpolicyagent.policy.layer.v1+rego"
	MediaTypeDataLayer   = "application/vnd.cncf.openpolicyagent.data.layer.v1+json"
	MediaTypeBundleLayer = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// Bundle is a policy from outside with the data that came with it. What it is
// worth is for the caller to know: whoever fetches it names it by digest or
// verifies who signed it. OPA's own .signatures.json is not looked at.
type Bundle struct {
	Sources []Source
	Params  []byte // for Config.Params; empty where it brought no data
}

// Layer is one layer of a policy in a registry: its title is the name of a
// file.
type Layer struct {
	MediaType string
	Title     string
	Bytes     []byte
}

// BundleFromTar reads an OPA bundle: a tar file, gzipped or not. It takes
// Rego files but tests, and data.json and data.yaml files, whose place must be
// data.params or below it. Everything in it is bounded, and names that leave
// the bundle are refused. The error is a *LoadError.
func BundleFromTar(name string, archive []byte) (*Bundle, error) {
	var r io.Reader = bytes.NewReader(archive)
	if bytes.HasPrefix(archive, []byte{0x1f, 0x8b}) {
		zipped, err := gzip.NewReader(r)
		if err != nil {
			return nil, badBundle(name, err.Error())
		}
		r = zipped
	}
	limited := &io.LimitedReader{R: r, N: maxPolicyBytes + 1}
	b := &bundler{name: name, data: map[string]any{}}
	entries := tar.NewReader(limited)
	for n := 0; ; n++ {
		head, err := entries.Next()
		switch {
		case limited.N == 0 || n > maxSources:
			return nil, unpacked(name)
		case errors.Is(err, io.EOF):
			return b.bundle()
		case err != nil:
			return nil, badBundle(name, err.Error())
		case head.Typeflag == tar.TypeDir:
			continue
		case head.Typeflag != tar.TypeReg:
			return nil, badBundle(name, fmt.Sprintf("entry %q is no regular file", head.Name))
		}
		text, err := readLimited(entries, maxSourceBytes)
		switch {
		case errors.Is(err, errTooLarge):
			return nil, tooLarge(name+"/"+head.Name, fmt.Sprintf("%d bytes in one file", maxSourceBytes))
		case limited.N == 0:
			return nil, unpacked(name)
		case err != nil:
			return nil, badBundle(name, err.Error())
		}
		if err := b.add(head.Name, text); err != nil {
			return nil, err
		}
	}
}

// BundleFromLayers reads a policy as conftest pushes it: one layer per file,
// the file's name in its title. A single layer of a tar file is an OPA bundle.
func BundleFromLayers(name string, layers []Layer) (*Bundle, error) {
	if len(layers) == 1 && layers[0].MediaType == MediaTypeBundleLayer {
		return BundleFromTar(name, layers[0].Bytes)
	}
	if len(layers) > maxSources {
		return nil, tooLarge(name, fmt.Sprintf("%d layers", maxSources))
	}
	b := &bundler{name: name, data: map[string]any{}}
	total := 0
	for _, layer := range layers {
		if total += len(layer.Bytes); total > maxPolicyBytes || len(layer.Bytes) > maxSourceBytes {
			return nil, tooLarge(name, fmt.Sprintf("%d bytes in one layer or %d in all", maxSourceBytes, maxPolicyBytes))
		}
		switch layer.MediaType {
		case MediaTypePolicyLayer:
			if path.Ext(layer.Title) != ".rego" {
				return nil, badBundle(name, fmt.Sprintf("policy layer %q has no title that ends in .rego", layer.Title))
			}
		case MediaTypeDataLayer:
			if !isData(layer.Title) {
				return nil, badBundle(name, fmt.Sprintf("data layer %q is titled neither data.json nor data.yaml", layer.Title))
			}
		default:
			return nil, badBundle(name, fmt.Sprintf("a layer has the media type %q, which is none of a policy", layer.MediaType))
		}
		if err := b.add(layer.Title, layer.Bytes); err != nil {
			return nil, err
		}
	}
	return b.bundle()
}

func unpacked(name string) error {
	return tooLarge(name, fmt.Sprintf("%d files or %d bytes unpacked", maxSources, maxPolicyBytes))
}

func badBundle(name, why string) error {
	return &LoadError{Code: "policy.bundle", Message: fmt.Sprintf("policy bundle %q: %s", name, why), Hint: "build the bundle with opa build, or push it with conftest push"}
}

// bundler gathers the files of a bundle.
type bundler struct {
	name    string
	sources []Source
	data    map[string]any
	seen    []string
}

func isData(file string) bool {
	return slices.Contains([]string{"data.json", "data.yaml", "data.yml"}, path.Base(file))
}

func (b *bundler) add(file string, text []byte) error {
	clean := path.Clean("/" + file)[1:]
	if strings.Contains(file, "\\") || strings.ContainsRune(file, 0) || clean != strings.TrimPrefix(strings.TrimPrefix(file, "./"), "/") {
		return badBundle(b.name, fmt.Sprintf("the name %q is not that of a file inside it", file))
	}
	if slices.Contains(b.seen, clean) {
		return badBundle(b.name, fmt.Sprintf("file %q is there twice", clean))
	}
	b.seen = append(b.seen, clean)
	switch {
	case clean == ".manifest":
		return b.manifest(text)
	case path.Ext(clean) == ".rego" && !isTest(clean):
		b.sources = append(b.sources, Source{Name: b.name + "/" + clean, Text: text})
	case isData(clean):
		value, err := decodeData(clean, text)
		if err != nil {
			return badBundle(b.name, err.Error())
		}
		return b.place(clean, value)
	}
	return nil
}

// manifest checks what a manifest can say against krmsafe's way to evaluate.
func (b *bundler) manifest(text []byte) error {
	var manifest struct {
		RegoVersion      *int           `json:"rego_version"`
		FileRegoVersions map[string]int `json:"file_rego_versions"`
		Wasm             []any          `json:"wasm"`
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		return badBundle(b.name, "its manifest is not JSON")
	}
	versions := slices.Collect(maps.Values(manifest.FileRegoVersions))
	if manifest.RegoVersion != nil {
		versions = append(versions, *manifest.RegoVersion)
	}
	for _, v := range versions {
		if v != 1 {
			return badBundle(b.name, fmt.Sprintf("it is written in Rego v%d, want v1", v))
		}
	}
	if len(manifest.Wasm) > 0 {
		return badBundle(b.name, "it wants to be evaluated as WebAssembly")
	}
	return nil
}

// place puts the value of a data file where the file's folder says, which must
// be below data.params: data beside a policy's packages could stand in for its
// rules.
func (b *bundler) place(file string, value any) error {
	keys := strings.Split(path.Dir(file), "/")
	if keys[0] == "." {
		keys = nil
	}
	for _, key := range slices.Backward(keys) {
		value = map[string]any{key: value}
	}
	object, ok := value.(map[string]any)
	if !ok {
		return badBundle(b.name, fmt.Sprintf("data file %q holds no object", file))
	}
	for key := range object {
		if key != paramsPackage {
			return badBundle(b.name, fmt.Sprintf("data file %q defines data.%s; data belongs under data.%s", file, key, paramsPackage))
		}
	}
	if conflict := mergeInto(b.data, object, "data"); conflict != "" {
		return badBundle(b.name, fmt.Sprintf("data file %q defines %s again", file, conflict))
	}
	return nil
}

func (b *bundler) bundle() (*Bundle, error) {
	if len(b.sources) == 0 {
		return nil, emptyError(b.name)
	}
	slices.SortFunc(b.sources, func(x, y Source) int { return strings.Compare(x.Name, y.Name) })
	out := &Bundle{Sources: b.sources}
	if params, ok := b.data[paramsPackage]; ok {
		if _, isObject := params.(map[string]any); !isObject {
			return nil, badBundle(b.name, "data.params is no object")
		}
		text, err := json.Marshal(params)
		if err != nil {
			return nil, badBundle(b.name, err.Error())
		}
		out.Params = text
	}
	return out, nil
}
