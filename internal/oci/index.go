package oci

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

type child struct {
	document
	platform string
}

// wasmPlatforms are the platforms of a module for WASI preview 1.
var wasmPlatforms = []string{"wasi/wasm", "wasip1/wasm"}

// child picks the one manifest of an index that is for the wanted platform. Children that buildx adds for its attestations have
// the platform unknown/unknown and are passed over like any other platform.
func (p picker) child(ctx context.Context, index document) (child, error) {
	wanted := wasmPlatforms
	if p.platform != "" {
		wanted = []string{p.platform}
	}
	var found []descriptor
	var others []string
	for _, m := range index.Manifests {
		switch name := m.Platform.String(); {
		case m.Annotations["vnd.docker.reference.type"] != "" && m.Platform.String() == "unknown/unknown":
		case slices.Contains(wanted, name):
			found = append(found, m)
		case !slices.Contains(others, name) && len(others) < 8:
			others = append(others, shorten(name, 40))
		}
	}
	if len(found) != 1 {
		return child{}, noChild(index, wanted, found, others)
	}
	pick := found[0]
	doc, err := p.src.document(ctx, pick.Digest)
	if err != nil {
		return child{}, err
	}
	switch {
	case pick.Size != int64(len(doc.body)):
		return child{}, refuse(index, "artifact.size", "", "child %s has %d bytes, not %d", pick.Digest, len(doc.body), pick.Size)
	case pick.MediaType != doc.mediaType:
		return child{}, refuse(index, "artifact.media_type", "", "child %s is called %q but is %q", pick.Digest, shorten(pick.MediaType, 100), doc.mediaType)
	case doc.isIndex():
		return child{}, refuse(index, "artifact.nested_index", "name the inner index, or the manifest, by its digest", "child %s is an index itself", pick.Digest)
	}
	return child{document: doc, platform: pick.Platform.String()}, nil
}

func noChild(index document, wanted []string, found []descriptor, others []string) error {
	want := strings.Join(wanted, " or ")
	if len(found) > 1 {
		return refuse(index, "artifact.ambiguous", "name the manifest you mean by its digest", "it has %d manifests for %s", len(found), want)
	}
	if slices.Contains(others, "js/wasm") {
		return refuse(index, "artifact.js_wasm", "build the function with GOOS=wasip1 instead of GOOS=js", "its only WebAssembly is for js/wasm, which needs a JavaScript host; krmsafe runs WASI preview 1")
	}
	quoted := make([]string, len(others))
	for i, o := range others {
		quoted[i] = fmt.Sprintf("%q", o)
	}
	return refuse(index, "artifact.no_module", "", "it has no manifest for %s, only for: %s", want, strings.Join(quoted, ", "))
}
