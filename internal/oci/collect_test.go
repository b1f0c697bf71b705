package oci_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/testkit/layout"
	"github.com/krmsafe/krmsafe/internal/testkit/registry"
)

// signed is a registry with one artifact and a bundle about it.
type signed struct {
	reg    *registry.Registry
	blobs  blobs
	top    desc
	bundle desc
}

func newSigned(t *testing.T) signed {
	t.Helper()
	s := signed{reg: registry.New(t), blobs: blobs{}}
	s.top = s.blobs.CNCF(layout.Module, nil)
	s.bundle = s.blobs.Bundle(s.top, []byte("bundle"))
	s.reg.Put(repo, s.blobs, s.top.Named("v1"), s.bundle)
	return s
}

func (s signed) ref() string { return s.reg.Host + "/" + repo + ":v1" }

// put adds manifests to the registry.
func (s signed) put(manifests ...desc) { s.reg.Put(repo, s.blobs, manifests...) }

// tagged puts the referrers into the fallback tag and turns the Referrers API off.
func (s signed) tagged(referrers ...desc) {
	s.reg.Referrers = false
	s.put(s.blobs.Index(referrers...).Named(layout.FallbackTag(s.top.Digest)))
}

func kinds(a *oci.Artifact) string {
	var out []string
	for _, e := range a.Evidence {
		out = append(out, e.Kind+" "+e.Source+" "+string(e.Bytes))
	}
	return strings.Join(out, "; ")
}

func codes(a *oci.Artifact) string {
	var out []string
	for _, r := range a.Rejected {
		out = append(out, r.Code+" "+r.Source)
	}
	return strings.Join(out, "; ")
}

func TestEvidenceOfEveryKind(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	sig := s.blobs.Add(layout.TypeSimpleSigning, []byte("payload")).Annotated("dev.cosignproject.cosign/signature", "c2ln")
	att := s.blobs.Add(layout.TypeDSSE, []byte("envelope")).Annotated("predicateType", "x")
	s.put(s.blobs.Legacy(sig).Named(layout.FallbackTag(s.top.Digest)+".sig"), s.blobs.Legacy(att).Named(layout.FallbackTag(s.top.Digest)+".att"))
	got := mustFetch(t, config(), s.ref())
	want := "bundle referrers-api bundle; legacy-attestation attestation-tag envelope; legacy-signature signature-tag payload"
	if kinds(got) != want || len(got.Rejected) > 0 {
		t.Errorf("evidence: %s, rejected: %s\nwant %s", kinds(got), codes(got), want)
	}
	if a := got.Evidence[2].Annotations["dev.cosignproject.cosign/signature"]; a != "c2ln" {
		t.Errorf("the layer's annotation is %q", a)
	}
}

func TestEvidenceOnIndexAndChild(t *testing.T) {
	t.Parallel()
	reg, b := registry.New(t), blobs{}
	child := b.CNCF(layout.Module, nil).For("wasip1", "wasm")
	top := b.Index(child, b.Image("linux", "amd64").For("linux", "amd64"))
	onTop, onChild := b.Bundle(top, []byte("top")), b.Bundle(child, []byte("child"))
	legacy := b.Legacy(b.Add(layout.TypeSimpleSigning, []byte("legacy")))
	reg.Put(repo, b, top.Named("v1"), child, onTop, onChild, legacy.Named(layout.FallbackTag(child.Digest)+".sig"))
	got := mustFetch(t, config(), reg.Host+"/"+repo+":v1")
	want := []string{top.Digest + " top", child.Digest + " child", child.Digest + " legacy"}
	var have []string
	for _, e := range got.Evidence {
		have = append(have, e.Subject+" "+string(e.Bytes))
	}
	if !slices.Equal(have, want) || !slices.Equal(got.Subjects(), []string{top.Digest, child.Digest}) {
		t.Errorf("evidence %v, subjects %v\nwant %v", have, got.Subjects(), want)
	}
}

// TestEvidenceWithoutReferrersAPI holds that the ways in which registries say that they have no such API lead to the fallback tag.
func TestEvidenceWithoutReferrersAPI(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
	}{
		{"404", registry.Status(404)},
		{"405 as GHCR", registry.Status(405)},
		{"400", registry.Status(400)},
		{"406", registry.Status(406)},
		{"501", registry.Status(501)},
		{"303 to a page that answers 429, as GHCR", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://127.0.0.2:1/too-many")
			w.WriteHeader(303)
		}},
		{"web page with 200", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = fmt.Fprint(w, "<html>")
		}},
		{"empty list", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", layout.TypeIndex)
			_, _ = fmt.Fprint(w, `{"schemaVersion":2,"manifests":[]}`)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSigned(t)
			s.tagged(s.bundle)
			s.reg.Before = registry.On("/referrers/", tt.answer)
			if got := mustFetch(t, config(), s.ref()); kinds(got) != "bundle referrers-tag bundle" {
				t.Errorf("evidence: %s (%s)", kinds(got), codes(got))
			}
		})
	}
}

func TestEvidenceMislabelledByFallbackIndex(t *testing.T) {
	t.Parallel()
	for _, label := range []string{"", layout.TypeEmpty, "application/vnd.example.sbom", layout.TypeImageConfig} {
		s := newSigned(t)
		s.bundle.ArtifactType = label
		s.tagged(s.bundle)
		if got := mustFetch(t, config(), s.ref()); len(got.Evidence) != 1 {
			t.Errorf("artifactType %q: evidence %s (%s)", label, kinds(got), codes(got))
		}
	}
}

// TestEvidenceFallbackTagIsSubject: GitLab answers the fallback tag with the subject itself.
func TestEvidenceFallbackTagIsSubject(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	s.reg.Referrers = false
	s.put(s.top.Named(layout.FallbackTag(s.top.Digest)))
	if got := mustFetch(t, config(), s.ref()); len(got.Evidence)+len(got.Rejected) != 0 {
		t.Errorf("evidence %s, rejected %s", kinds(got), codes(got))
	}
}

func TestEvidencePages(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	s.reg.PageSize = 3
	for i := range 9 {
		s.put(s.blobs.Bundle(s.top, fmt.Append(nil, i)))
	}
	if got := mustFetch(t, config(), s.ref()); len(got.Evidence) != 10 {
		t.Errorf("%d bundles over 4 pages, want 10", len(got.Evidence))
	}
}

// TestEvidencePagesByLink reads the ways in which a Link header may be written.
func TestEvidencePagesByLink(t *testing.T) {
	t.Parallel()
	for link, pages := range map[string]int{
		`<%s?p=2>; rel="next"`: 2, `<%s?p=2>;rel=next`: 2, `<%s?p=2>; title="x"; rel="next"`: 2, `<https://docs.example>; rel="help", <%s?p=2>; rel="next"`: 2,
		`<%s?p=2>; rel="prev"`: 1, `<https://docs.example>; rel="help"; x="%s"`: 1, `garbage %s`: 1, `<%s`: 1,
	} {
		s := newSigned(t)
		asked := 0
		s.reg.Before = registry.On("/referrers/", func(w http.ResponseWriter, r *http.Request) {
			if asked++; asked == 1 {
				w.Header().Set("Link", fmt.Sprintf(link, r.URL.Path))
			}
			w.Header().Set("Content-Type", layout.TypeIndex)
			_, _ = fmt.Fprintf(w, `{"schemaVersion":2,"manifests":[{"mediaType":%q,"digest":%q,"size":%d}]}`, s.bundle.MediaType, s.bundle.Digest, s.bundle.Size)
		})
		if got := mustFetch(t, config(), s.ref()); asked != pages || len(got.Evidence) != 1 {
			t.Errorf("%s: %d pages were read, want %d; evidence %s", link, asked, pages, kinds(got))
		}
	}
}

// TestEvidenceBadCandidates holds that whoever may push cannot block a signed artifact by attaching rubbish to it.
func TestEvidenceBadCandidates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		bad  func(s signed) desc
		code string
	}{
		{"bundle about another subject", func(s signed) desc {
			return s.blobs.Bundle(s.blobs.Artifact(layout.Module), []byte("x"))
		}, "evidence.subject"},
		{"bundle without a subject", func(s signed) desc {
			return s.blobs.AddManifest(layout.Manifest{Config: s.blobs.Empty(), Layers: []desc{s.blobs.Add(layout.TypeBundle, []byte("x"))}})
		}, "evidence.subject"},
		{"two layers", func(s signed) desc {
			l := s.blobs.Add(layout.TypeBundle, []byte("x"))
			return s.blobs.AddManifest(layout.Manifest{Config: s.blobs.Empty(), Layers: []desc{l, l}, Subject: &desc{MediaType: layout.TypeManifest, Digest: s.top.Digest, Size: s.top.Size}})
		}, "evidence.layers"},
		{"bundle that is too large", func(s signed) desc {
			return s.blobs.Bundle(s.top, make([]byte, 2048))
		}, "limit.evidence_bytes"},
		{"blob that was changed", func(s signed) desc {
			d := s.blobs.Bundle(s.top, []byte("12345"))
			s.blobs[layout.Digest([]byte("12345"))] = []byte("54321")
			return d
		}, "artifact.digest_mismatch"},
		{"blob that is not there", func(s signed) desc {
			d := s.blobs.Bundle(s.top, []byte("gone"))
			delete(s.blobs, layout.Digest([]byte("gone")))
			return d
		}, "evidence.absent"},
		{"manifest that is not there", func(signed) desc {
			return desc{MediaType: layout.TypeManifest, Digest: "sha256:" + hexD, Size: 9}
		}, "evidence.absent"},
		{"manifest that is none", func(s signed) desc { return s.blobs.Add(layout.TypeManifest, []byte("{")) }, "artifact.malformed"},
		{"manifest that is too large", func(s signed) desc {
			return s.blobs.CNCF(layout.Module, map[string]string{"a": strings.Repeat("x", 70<<10)})
		}, "limit.manifest_bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSigned(t)
			s.tagged(tt.bad(s), s.bundle)
			s.put(tt.bad(s))
			c := config()
			c.Limits = oci.Limits{EvidenceBytes: 1024, ManifestBytes: 64 << 10}
			got := mustFetch(t, c, s.ref())
			if kinds(got) != "bundle referrers-tag bundle" || codes(got) != tt.code+" referrers-tag" {
				t.Errorf("evidence %q, rejected %q, want the good one and %s", kinds(got), codes(got), tt.code)
			}
		})
	}
}

// TestEvidenceOfOthers: an SBOM says nothing here, and a signature of another kind is named.
func TestEvidenceOfOthers(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	about := &desc{MediaType: layout.TypeManifest, Digest: s.top.Digest, Size: s.top.Size}
	s.put(s.blobs.AddManifest(layout.Manifest{ArtifactType: "application/spdx+json", Config: s.blobs.Empty(), Layers: []desc{s.blobs.Add("application/spdx+json", []byte("{}"))}, Subject: about}))
	if got := mustFetch(t, config(), s.ref()); len(got.Evidence) != 1 || len(got.Rejected) != 0 {
		t.Errorf("evidence %s, rejected %s", kinds(got), codes(got))
	}
	s.put(s.blobs.AddManifest(layout.Manifest{ArtifactType: "application/vnd.cncf.notary.signature", Config: s.blobs.Empty(), Layers: []desc{s.blobs.Add("application/jose+json", []byte("{}"))}, Subject: about}))
	if got := mustFetch(t, config(), s.ref()); len(got.Evidence) != 1 || codes(got) != "evidence.notation referrers-api" {
		t.Errorf("evidence %s, rejected %s", kinds(got), codes(got))
	}
}

func TestEvidenceLegacyBadLayers(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	good, other := s.blobs.Add(layout.TypeSimpleSigning, []byte("good")), s.blobs.Add("text/plain", []byte("bad"))
	s.put(s.blobs.Legacy(other, good).Named(layout.FallbackTag(s.top.Digest)+".sig"), s.blobs.Index(s.top).Named(layout.FallbackTag(s.top.Digest)+".att"))
	got := mustFetch(t, config(), s.ref())
	if kinds(got) != "bundle referrers-api bundle; legacy-signature signature-tag good" || !strings.Contains(codes(got), "evidence.media_type signature-tag") || !strings.Contains(codes(got), "evidence.layers attestation-tag") {
		t.Errorf("evidence %q, rejected %q", kinds(got), codes(got))
	}
}

func TestEvidenceEightHundredLegacyLayers(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	var layers []desc
	for i := range 800 {
		layers = append(layers, s.blobs.Add(layout.TypeSimpleSigning, fmt.Append(nil, i)))
	}
	s.put(s.blobs.Legacy(layers...).Named(layout.FallbackTag(s.top.Digest) + ".sig"))
	got := mustFetch(t, config(), s.ref())
	if kinds(got) != "bundle referrers-api bundle" || codes(got) != "limit.layers signature-tag" {
		t.Errorf("evidence %q, rejected %q", kinds(got), codes(got))
	}
	if n := len(s.reg.Requests()); n > 20 {
		t.Errorf("%d requests were made", n)
	}
}

func TestEvidenceTooMuch(t *testing.T) {
	t.Parallel()
	t.Run("65 bundles", func(t *testing.T) {
		t.Parallel()
		s := newSigned(t)
		for i := range 64 {
			s.put(s.blobs.Bundle(s.top, fmt.Append(nil, i)))
		}
		refused(t, config(), s.ref(), "limit.evidence")
	})
	t.Run("20000 referrers", func(t *testing.T) {
		t.Parallel()
		s := newSigned(t)
		s.reg.Before = registry.On("/referrers/", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", layout.TypeIndex)
			_, _ = fmt.Fprint(w, `{"schemaVersion":2,"manifests":[`)
			for i := range 20000 {
				_, _ = fmt.Fprintf(w, `{"mediaType":"a","digest":"sha256:%064x","size":1},`, i)
			}
			_, _ = fmt.Fprint(w, `{"mediaType":"a","digest":"sha256:`+hexD+`","size":1}]}`)
		})
		refused(t, config(), s.ref(), "limit.index_entries")
	})
	t.Run("300 referrers that are no evidence", func(t *testing.T) {
		t.Parallel()
		s := newSigned(t)
		var all []desc
		for i := range 300 {
			all = append(all, s.blobs.Add(layout.TypeManifest, fmt.Append(nil, i)))
		}
		s.tagged(all...)
		refused(t, config(), s.ref(), "limit.referrers")
	})
	t.Run("all together too large", func(t *testing.T) {
		t.Parallel()
		s := newSigned(t)
		for i := range 5 {
			s.put(s.blobs.Bundle(s.top, append(make([]byte, 300), byte(i))))
		}
		c := config()
		c.Limits.EvidenceTotal = 1000
		refused(t, c, s.ref(), "limit.evidence_total")
	})
}

// TestEvidenceFromCosignSave reads the layouts that cosign save writes: bundles as blobs that nothing lists, and legacy signatures as
// entries with a kind.
func TestEvidenceFromCosignSave(t *testing.T) {
	t.Parallel()
	b := blobs{}
	top := b.CNCF(layout.Module, nil)
	b.Bundle(top, []byte("orphan"))
	sigs := b.Legacy(b.Add(layout.TypeSimpleSigning, []byte("payload"))).Annotated("kind", "dev.cosignproject.cosign/sigs")
	atts := b.Legacy(b.Add(layout.TypeDSSE, []byte("envelope"))).Annotated("kind", "dev.cosignproject.cosign/atts")
	dir := t.TempDir()
	if err := b.Save(dir, top.Annotated("kind", "dev.cosignproject.cosign/image"), sigs, atts); err != nil {
		t.Fatal(err)
	}
	want := "bundle oci-layout orphan; legacy-attestation attestation-tag envelope; legacy-signature signature-tag payload"
	if got := mustFetch(t, config(), "oci-layout:"+dir); kinds(got) != want {
		t.Errorf("evidence %q, want %q", kinds(got), want)
	}
	// With a second image the kinds belong to nobody.
	if err := b.Save(dir, top.Annotated("kind", "dev.cosignproject.cosign/image"), b.Artifact(layout.Module).Annotated("kind", "dev.cosignproject.cosign/image"), sigs, atts); err != nil {
		t.Fatal(err)
	}
	if got := mustFetch(t, config(), "oci-layout:"+dir+"@"+top.Digest); kinds(got) != "bundle oci-layout orphan" {
		t.Errorf("evidence %q", kinds(got))
	}
}

// TestEvidenceFromRealCosignSave reads what cosign 3.1.3 wrote. See testdata/README.md.
func TestEvidenceFromRealCosignSave(t *testing.T) {
	t.Parallel()
	got := mustFetch(t, oci.Config{Offline: true}, "oci-layout:testdata/cosign-save")
	var have []string
	for _, e := range got.Evidence {
		have = append(have, e.Kind+" "+e.MediaType)
	}
	want := []string{"bundle " + layout.TypeBundle, "bundle " + layout.TypeBundle, "legacy-attestation " + layout.TypeDSSE, "legacy-signature " + layout.TypeSimpleSigning}
	if !slices.Equal(have, want) || len(got.Rejected) > 0 {
		t.Errorf("evidence %v, rejected %s", have, codes(got))
	}
	if got.Evidence[3].Annotations["dev.cosignproject.cosign/signature"] == "" {
		t.Error("the legacy signature has lost its annotation")
	}
}

func TestLayoutAttacks(t *testing.T) {
	t.Parallel()
	b := blobs{}
	top, other := b.CNCF(layout.Module, nil), b.Artifact(layout.Module)
	write := func(t *testing.T, entries ...desc) string {
		t.Helper()
		dir := t.TempDir()
		if err := b.Save(dir, entries...); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	blob := func(dir, digest string) string {
		return filepath.Join(dir, "blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Run("one name for two artifacts", func(t *testing.T) {
		t.Parallel()
		refused(t, config(), "oci-layout:"+write(t, top.Named("v1"), other.Named("v1"))+":v1", "layout.ambiguous")
	})
	t.Run("two artifacts and no name", func(t *testing.T) {
		t.Parallel()
		refused(t, config(), "oci-layout:"+write(t, top, other), "layout.ambiguous")
	})
	t.Run("empty", func(t *testing.T) {
		t.Parallel()
		refused(t, config(), "oci-layout:"+write(t), "layout.not_found")
	})
	t.Run("not a layout", func(t *testing.T) {
		t.Parallel()
		refused(t, config(), "oci-layout:"+t.TempDir(), "layout.not_a_layout")
	})
	t.Run("module changed on disk", func(t *testing.T) {
		t.Parallel()
		dir := write(t, top)
		must(t, os.WriteFile(blob(dir, layout.Digest(layout.Module)), []byte("\x00asm\x01\x00\x00\x01"), 0o600))
		refused(t, config(), "oci-layout:"+dir, "artifact.digest_mismatch")
	})
	t.Run("manifest changed on disk", func(t *testing.T) {
		t.Parallel()
		dir := write(t, top)
		must(t, os.WriteFile(blob(dir, top.Digest), []byte("{}"), 0o600))
		refused(t, config(), "oci-layout:"+dir+"@"+top.Digest, "artifact.digest_mismatch")
	})
	t.Run("blob that leads out of the layout", func(t *testing.T) {
		t.Parallel()
		dir, outside := write(t, top), filepath.Join(t.TempDir(), "module")
		must(t, os.WriteFile(outside, layout.Module, 0o600))
		must(t, os.Remove(blob(dir, layout.Digest(layout.Module))))
		must(t, os.Symlink(outside, blob(dir, layout.Digest(layout.Module))))
		_, err := fetch(t, config(), "oci-layout:"+dir)
		if err == nil || !strings.Contains(err.Error(), "escapes") {
			t.Errorf("Fetch = %v, want the link refused", err)
		}
	})
	t.Run("blob that is a directory", func(t *testing.T) {
		t.Parallel()
		dir := write(t, top)
		must(t, os.Remove(blob(dir, layout.Digest(layout.Module))))
		must(t, os.Mkdir(blob(dir, layout.Digest(layout.Module)), 0o700))
		refused(t, config(), "oci-layout:"+dir, "layout.malformed")
	})
	t.Run("index.json too large", func(t *testing.T) {
		t.Parallel()
		dir := write(t, top)
		must(t, os.WriteFile(filepath.Join(dir, "index.json"), make([]byte, 4<<20+1), 0o600))
		refused(t, config(), "oci-layout:"+dir, "limit.manifest_bytes")
	})
	t.Run("index.json with a key twice", func(t *testing.T) {
		t.Parallel()
		dir := write(t, top)
		must(t, os.WriteFile(filepath.Join(dir, "index.json"), []byte(`{"schemaVersion":2,"manifests":[],"manifests":[]}`), 0o600))
		refused(t, config(), "oci-layout:"+dir, "artifact.malformed")
	})
	t.Run("unknown version", func(t *testing.T) {
		t.Parallel()
		dir := write(t, top)
		must(t, os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"2.0.0"}`), 0o600))
		refused(t, config(), "oci-layout:"+dir, "layout.malformed")
	})
}
