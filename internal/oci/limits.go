package oci

import (
	"bytes"
	"errors"
	"io"

	"github.com/krmsafe/krmsafe/internal/bulk"
)

// Limits bounds everything foreign that a Client reads. A field that is zero takes the default of DefaultLimits; a negative
// one is an error from New.
type Limits struct {
	ManifestBytes  int64 // one manifest, index or referrer list page
	ConfigBytes    int64 // a config blob
	ModuleBytes    int64 // the WebAssembly module itself
	LayerBytes     int64 // a compressed image layer
	UnpackedBytes  int64 // all layers of an image, unpacked
	UnpackedFiles  int64 // entries over all layers of an image
	Layers         int64 // layers of one manifest
	IndexEntries   int64 // manifests in one index, or in a layout's index.json
	ReferrerPages  int64 // pages of the Referrers API
	Referrers      int64 // referrer manifests inspected for one digest
	Evidence       int64 // signatures and attestations handed on
	EvidenceBytes  int64 // one bundle, payload or envelope
	EvidenceTotal  int64 // all evidence of one artifact, and all manifests read in search of it
	DocumentDepth  int64 // nesting of a JSON document
	ErrorBodyBytes int64 // what is read of a registry's error answer
}

const (
	kib = 1 << 10
	mib = 1 << 20
)

// DefaultLimits are the limits in force where a Config does not say otherwise.
func DefaultLimits() Limits {
	return Limits{
		ManifestBytes: 4 * mib, ConfigBytes: mib, ModuleBytes: 64 * mib, LayerBytes: 256 * mib, UnpackedBytes: 128 * mib, UnpackedFiles: 10_000,
		Layers: 32, IndexEntries: 1024, ReferrerPages: 10, Referrers: 256, Evidence: 64, EvidenceBytes: 16 * mib, EvidenceTotal: 64 * mib,
		DocumentDepth: 32, ErrorBodyBytes: 8 * kib,
	}
}

// withDefaults fills what is zero.
func (l Limits) withDefaults() (Limits, error) {
	d := DefaultLimits()
	for _, f := range []struct {
		name string
		v    *int64
		def  int64
	}{
		{"ManifestBytes", &l.ManifestBytes, d.ManifestBytes},
		{"ConfigBytes", &l.ConfigBytes, d.ConfigBytes},
		{"ModuleBytes", &l.ModuleBytes, d.ModuleBytes},
		{"LayerBytes", &l.LayerBytes, d.LayerBytes},
		{"UnpackedBytes", &l.UnpackedBytes, d.UnpackedBytes},
		{"UnpackedFiles", &l.UnpackedFiles, d.UnpackedFiles},
		{"Layers", &l.Layers, d.Layers},
		{"IndexEntries", &l.IndexEntries, d.IndexEntries},
		{"ReferrerPages", &l.ReferrerPages, d.ReferrerPages},
		{"Referrers", &l.Referrers, d.Referrers},
		{"Evidence", &l.Evidence, d.Evidence},
		{"EvidenceBytes", &l.EvidenceBytes, d.EvidenceBytes},
		{"EvidenceTotal", &l.EvidenceTotal, d.EvidenceTotal},
		{"DocumentDepth", &l.DocumentDepth, d.DocumentDepth},
		{"ErrorBodyBytes", &l.ErrorBodyBytes, d.ErrorBodyBytes},
	} {
		if *f.v < 0 {
			return Limits{}, &ConfigError{Field: "Limits." + f.name, Message: "a limit cannot be negative"}
		}
		if *f.v == 0 {
			*f.v = f.def
		}
	}
	return l, nil
}

// bound is one limit on its way to the place that enforces it.
type bound struct {
	name  string // dotted
	field string // of Limits
	max   int64
}

func (b bound) dotted() string { return "limit." + b.name }

func (b bound) exceeded(what string, got int64) *LimitError {
	return &LimitError{Limit: b.dotted(), Max: b.max, Got: got, What: what, Hint: "the limit is the registry client's " + b.field + "; raise it only for an artifact you know"}
}

func (l Limits) manifest() bound  { return bound{"manifest_bytes", "ManifestBytes", l.ManifestBytes} }
func (l Limits) config() bound    { return bound{"config_bytes", "ConfigBytes", l.ConfigBytes} }
func (l Limits) module() bound    { return bound{"module_bytes", "ModuleBytes", l.ModuleBytes} }
func (l Limits) layers() bound    { return bound{"layers", "Layers", l.Layers} }
func (l Limits) entries() bound   { return bound{"index_entries", "IndexEntries", l.IndexEntries} }
func (l Limits) pages() bound     { return bound{"referrer_pages", "ReferrerPages", l.ReferrerPages} }
func (l Limits) referrers() bound { return bound{"referrers", "Referrers", l.Referrers} }
func (l Limits) evidence() bound  { return bound{"evidence", "Evidence", l.Evidence} }
func (l Limits) bundle() bound    { return bound{"evidence_bytes", "EvidenceBytes", l.EvidenceBytes} }

func (l Limits) total() bound { return bound{"evidence_total", "EvidenceTotal", l.EvidenceTotal} }

func (l Limits) depth() bound { return bound{"document_depth", "DocumentDepth", l.DocumentDepth} }

var errShort = errors.New("it ended early")

// readBounded reads r to its end and refuses more than b.max bytes. announced is the size someone promised, or negative; it
// is checked before the first byte is read, and memory for all of it is taken only once the first MiB has come.
func readBounded(r io.Reader, what string, announced int64, b bound) ([]byte, error) {
	if announced > b.max {
		return nil, b.exceeded(what, announced)
	}
	var buf bytes.Buffer
	limited := io.LimitReader(r, b.max+1)
	if announced > 0 {
		buf.Grow(int(min(announced, mib)) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(limited, mib))
	if err == nil && n == mib {
		if announced > n { // which is within the limit; Grow would write zeros to all of it
			buf = *bytes.NewBuffer(append(bulk.Make(int(announced) + bytes.MinRead)[:0], buf.Bytes()...))
		}
		var more int64
		more, err = buf.ReadFrom(limited)
		n += more
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errShort
	case err != nil:
		return nil, err
	case n > b.max:
		return nil, b.exceeded(what, n)
	}
	return buf.Bytes(), nil
}
