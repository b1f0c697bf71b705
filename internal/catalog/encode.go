package catalog

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/krmsafe/krmsafe/internal/lazy"
)

// Encode writes the catalog, its functions sorted by group, kind and version. The same catalog is always the same text, and
// Parse of it gives the same functions.
func (c *Catalog) Encode() ([]byte, error) {
	if len(c.Functions) == 0 {
		return nil, errEmpty
	}
	list := slices.Clone(c.Functions)
	slices.SortStableFunc(list, func(a, b Function) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Version, b.Version))
	})
	w := &writer{}
	w.line(0, "apiVersion: "+apiVersion)
	w.line(0, "kind: "+kind)
	w.line(0, "metadata:")
	w.field(1, "name", cmp.Or(c.Name, "functions"))
	w.line(0, "spec:")
	w.line(1, "krmFunctions:")
	for i, f := range list {
		if i == 0 || f.Group != list[i-1].Group || f.Kind != list[i-1].Kind {
			w.line(1, "- group: "+scalar(f.Group))
			w.line(2, "names:")
			w.field(3, "kind", f.Kind)
			w.field(2, "description", f.Description)
			w.field(2, "publisher", f.Publisher)
			w.field(2, "home", f.Home)
			w.line(2, "versions:")
		}
		w.version(f)
	}
	// What was written is read again: nothing leaves that Parse would not take.
	if _, err := Parse("", w.b.Bytes()); err != nil {
		return nil, fmt.Errorf("writing the catalog: %w", err)
	}
	return w.b.Bytes(), nil
}

type writer struct{ b bytes.Buffer }

func (w *writer) line(depth int, s string) {
	w.b.WriteString(strings.Repeat("  ", depth) + s + "\n")
}

func (w *writer) field(depth int, key, value string) {
	if value != "" {
		w.line(depth, key+": "+scalar(value))
	}
}

func (w *writer) version(f Function) {
	w.line(2, "- name: "+scalar(f.Version))
	w.field(3, "usage", f.Usage)
	w.field(3, "license", f.License)
	w.line(3, "runtime:")
	w.line(4, "wasip1:")
	w.field(5, "image", f.Image)
	w.field(5, "sha256", strings.TrimPrefix(f.ModuleDigest, "sha256:"))
	if len(f.Signers) == 0 {
		return
	}
	w.line(5, "signers:")
	signers := slices.Clone(f.Signers)
	slices.SortFunc(signers, func(a, b Signer) int {
		return cmp.Or(strings.Compare(a.Issuer, b.Issuer), strings.Compare(a.Identity, b.Identity), strings.Compare(a.Key, b.Key))
	})
	for _, s := range slices.Compact(signers) {
		if s.Key != "" {
			w.line(5, "- key: "+scalar(s.Key))
			continue
		}
		w.line(5, "- issuer: "+scalar(s.Issuer))
		w.field(6, "identity", s.Identity)
	}
}

// plain is text that is a string without quotes: two letters or more, so that it is no number, and none of YAML's words.
var plain = lazy.Regexp(`^[A-Za-z][A-Za-z0-9]*[./_@:-][A-Za-z0-9./_@:-]*[A-Za-z0-9]$|^[A-Z][a-z]+[A-Z][A-Za-z0-9]*$|^v[0-9][a-z0-9]*$`)

func scalar(s string) string {
	if plain().MatchString(s) {
		return s
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string can always be written
	return strings.TrimSuffix(b.String(), "\n")
}
