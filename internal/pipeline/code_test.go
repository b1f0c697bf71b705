package pipeline_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/testkit/layout"
	"github.com/krmsafe/krmsafe/internal/testkit/registry"
	"github.com/krmsafe/krmsafe/internal/testkit/sigstore"
	"github.com/krmsafe/krmsafe/internal/testkit/stamp"
	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/sandbox"
	"github.com/krmsafe/krmsafe/verify"
)

// shop is a registry with one signed function, and somebody who compiles it.
type shop struct {
	registry       *registry.Registry
	client         *oci.Client
	author, farm   sigstore.Key
	ref            string
	module, digest string
}

func newShop(t *testing.T, module []byte) *shop {
	t.Helper()
	s := &shop{registry: registry.New(t)}
	var err error
	if s.client, err = oci.New(oci.Config{}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []*sigstore.Key{&s.author, &s.farm} {
		if *key, err = sigstore.NewKey(); err != nil {
			t.Fatal(err)
		}
	}
	blobs := layout.Blobs{}
	function := blobs.CNCF(module, nil)
	bundle, err := s.author.SignBundle(function.Digest, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.registry.Put("acme/fn", blobs, function.Named("v1"), blobs.Bundle(function, bundle))
	s.ref, s.module, s.digest = s.registry.Host+"/acme/fn:v1", layout.Digest(module), function.Digest
	return s
}

// machine is a krmsafe with a cache of its own.
type machine struct {
	cache *sandbox.Cache
	p     *pipeline.Pipeline
}

func (s *shop) machine(t *testing.T, build string, code ...sigstore.Key) machine {
	t.Helper()
	rule := verify.Rule{Name: "ours", Match: []string{"**"}, Authorities: authorities(s.author), CompiledCode: authorities(code...)}
	return s.process(t, privateDir(t), build, setup{}, rule)
}

// privateDir is where a machine keeps its code and its key.
func privateDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func authorities(keys ...sigstore.Key) (out []verify.Authority) {
	for _, k := range keys {
		out = append(out, verify.Authority{Key: &verify.Key{PEM: k.PublicPEM(), Source: "key.pub"}})
	}
	return out
}

// process is one krmsafe on the machine that keeps its code in dir.
func (s *shop) process(t *testing.T, dir, build string, with setup, rules ...verify.Rule) machine {
	t.Helper()
	cache, err := sandbox.OpenCache(sandbox.CacheConfig{
		Dir: filepath.Join(dir, "code"), KeyFile: filepath.Join(dir, "config", "key"), MaxBytes: 1 << 30,
		Fill: sandbox.FillAlways, Build: build, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	box, err := sandbox.New(sandbox.Config{Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = box.Close(), cache.Close() })
	trust := verify.TrustPolicy{Rules: rules}
	verifier, err := verify.New(trust)
	if err != nil {
		t.Fatal(err)
	}
	codeVerifier, err := verify.NewCode(trust)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pipeline.New(pipeline.Config{
		Registry: s.client, Verifier: verifier, CodeVerifier: codeVerifier, Policy: with.policy(t), PolicyName: "test", Sandbox: box,
		Runtime: policy.Runtime{Engine: policy.EngineAuto, Jail: policy.JailFull, OS: "linux", Arch: "amd64"},
		Date:    "2026-11-22", KRM: krm.DefaultLimits(), Random: constant{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return machine{cache, p}
}

func (s *shop) run(t *testing.T, m machine) *pipeline.Report {
	t.Helper()
	return s.runRef(t, m, s.ref)
}

func (s *shop) runRef(t *testing.T, m machine, ref string) *pipeline.Report {
	t.Helper()
	r := s.judge(t, m, ref)
	if r.Run == nil || !r.Outcome.OK {
		t.Fatalf("Run ended with %+v", r.Outcome)
	}
	return r
}

func (s *shop) judge(t *testing.T, m machine, ref string) *pipeline.Report {
	t.Helper()
	input, err := krm.ReadStream([]byte("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n"), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	r, err := m.p.Run(t.Context(), pipeline.Request{Image: ref, NamedBy: pipeline.NamedByFlag, Input: input, FailOn: pipeline.FailNever})
	if err != nil {
		t.Fatalf("Run = %v", err)
	}
	return r
}

// publish compiles the function on a machine and publishes its code.
func (s *shop) publish(t *testing.T, m machine, signers ...sigstore.Key) {
	t.Helper()
	if r := s.run(t, m); r.Run.Cached {
		t.Fatal("the first run came from the cache")
	}
	var archive bytes.Buffer
	if n, err := m.cache.Export(&archive, []string{s.module}); n != 1 || err != nil {
		t.Fatalf("Export = %d, %v", n, err)
	}
	s.push(t, m.cache.CodeKey(s.module), archive.Bytes(), signers...)
}

func (s *shop) push(t *testing.T, key string, archive []byte, signers ...sigstore.Key) {
	t.Helper()
	s.pushTo(t, "acme/fn", key, archive, signers...)
}

func (s *shop) pushTo(t *testing.T, repository, key string, archive []byte, signers ...sigstore.Key) {
	t.Helper()
	ref, err := oci.ParseRef(s.registry.Host + "/" + repository + ":v1")
	if err != nil {
		t.Fatal(err)
	}
	function, err := s.client.Fetch(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	reference, digest, err := s.client.PushCode(t.Context(), function, key, archive)
	if err != nil {
		t.Fatalf("PushCode = %v", err)
	}
	if !strings.HasSuffix(reference, "/"+repository+"@"+digest) {
		t.Errorf("PushCode = %s, %s", reference, digest)
	}
	for _, k := range signers {
		bundle, err := k.SignBundle(digest, nil)
		if err != nil {
			t.Fatal(err)
		}
		blobs := layout.Blobs{}
		s.registry.Put(repository, blobs, blobs.Bundle(layout.Descriptor{MediaType: "application/vnd.oci.image.manifest.v1+json", Digest: digest, Size: 1}, bundle))
	}
}

func warned(r *pipeline.Report, id string) bool {
	return slices.ContainsFunc(r.Warnings, func(w pipeline.Warning) bool { return w.ID == id })
}

// A machine that has never seen the function runs code that somebody compiled and
// signed whom its trust policy names for that.
func TestCompiledCodeIsTakenFromTheRegistry(t *testing.T) {
	s := newShop(t, stamp.Module())
	s.publish(t, s.machine(t, "1"), s.farm)
	m := s.machine(t, "1", s.farm)
	r := s.run(t, m)
	if !r.Run.Cached || !warned(r, "cache.imported") {
		t.Errorf("cached is %v, warnings are %+v", r.Run.Cached, r.Warnings)
	}
	if r := s.run(t, m); !r.Run.Cached || warned(r, "cache.imported") {
		t.Errorf("the second run: cached is %v, warnings are %+v", r.Run.Cached, r.Warnings)
	}
}

// Nobody else's code runs: not without a word in the trust policy, not unsigned, not
// signed by the function's own author or by anybody, not of another version, and not of
// another module.
func TestCompiledCodeIsNotTaken(t *testing.T) {
	stranger, err := sigstore.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name    string
		signers func(*shop) []sigstore.Key
		trusted func(*shop) []sigstore.Key
		build   string
		warning string
	}{
		{"nobody is named", farm, none, "1", ""},
		{"unsigned", none, farm, "1", "cache.refused"},
		{"signed by the author", author, farm, "1", "cache.refused"},
		{"signed by a stranger", func(*shop) []sigstore.Key { return []sigstore.Key{stranger} }, farm, "1", "cache.refused"},
		{"of another version", farm, farm, "2", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newShop(t, stamp.Module())
			s.publish(t, s.machine(t, "1"), tc.signers(s)...)
			r := s.run(t, s.machine(t, tc.build, tc.trusted(s)...))
			if r.Run.Cached || warned(r, "cache.imported") {
				t.Errorf("cached is %v, warnings are %+v", r.Run.Cached, r.Warnings)
			}
			if tc.warning != "" && !warned(r, tc.warning) {
				t.Errorf("warnings are %+v, want %s", r.Warnings, tc.warning)
			}
		})
	}
	t.Run("of another module", func(t *testing.T) {
		other := newShop(t, asm.Cat())
		maker := other.machine(t, "1")
		other.run(t, maker)
		var archive bytes.Buffer
		if _, err := maker.cache.Export(&archive, nil); err != nil {
			t.Fatal(err)
		}
		s := newShop(t, stamp.Module())
		m := s.machine(t, "1", s.farm)
		s.push(t, m.cache.CodeKey(s.module), archive.Bytes(), s.farm)
		if r := s.run(t, m); r.Run.Cached || !warned(r, "cache.refused") {
			t.Errorf("cached is %v, warnings are %+v", r.Run.Cached, r.Warnings)
		}
	})
	t.Run("nothing that is an archive", func(t *testing.T) {
		s := newShop(t, stamp.Module())
		m := s.machine(t, "1", s.farm)
		s.push(t, m.cache.CodeKey(s.module), []byte("no archive at all"), s.farm)
		if r := s.run(t, m); r.Run.Cached || !warned(r, "cache.refused") {
			t.Errorf("cached is %v, warnings are %+v", r.Run.Cached, r.Warnings)
		}
	})
}

func none(*shop) []sigstore.Key     { return nil }
func farm(s *shop) []sigstore.Key   { return []sigstore.Key{s.farm} }
func author(s *shop) []sigstore.Key { return []sigstore.Key{s.author} }
