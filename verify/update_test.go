package verify_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/krmsafe/krmsafe/verify"
)

// A tufRepository is an update repository in memory.
type tufRepository struct {
	root  []byte
	files map[string][]byte
	asked []string
}

const updates = "https://updates.example.com"

func newRepository(t *testing.T, trustedRoot []byte, expires time.Time) *tufRepository {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	key, err := metadata.KeyFromPublicKey(private.Public())
	must(err)
	signer, err := signature.LoadSigner(private, crypto.Hash(0))
	must(err)
	root, targets := metadata.Root(expires), metadata.Targets(expires)
	for _, role := range []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP} {
		must(root.Signed.AddKey(key, role))
	}
	file, err := metadata.TargetFile().FromBytes("trusted_root.json", trustedRoot, "sha256")
	must(err)
	targets.Signed.Targets["trusted_root.json"] = file
	r := &tufRepository{files: map[string][]byte{}}
	add := func(name string, m interface {
		Sign(signature.Signer) (*metadata.Signature, error)
		ToBytes(bool) ([]byte, error)
	},
	) {
		t.Helper()
		_, err := m.Sign(signer)
		must(err)
		b, err := m.ToBytes(false)
		must(err)
		r.files[updates+"/"+name] = b
	}
	add("1.targets.json", targets)
	add("1.snapshot.json", metadata.Snapshot(expires))
	add("timestamp.json", metadata.Timestamp(expires))
	add("1.root.json", root)
	r.root = r.files[updates+"/1.root.json"]
	sum := sha256.Sum256(trustedRoot)
	r.files[updates+"/targets/"+hex.EncodeToString(sum[:])+".trusted_root.json"] = trustedRoot
	return r
}

func (r *tufRepository) get(_ context.Context, url string, maxBytes int64) ([]byte, error) {
	r.asked = append(r.asked, url)
	b, ok := r.files[url]
	if !ok {
		return nil, verify.ErrNotFound
	}
	if int64(len(b)) > maxBytes {
		return nil, fmt.Errorf("%s is too large", url)
	}
	return b, nil
}

func TestUpdateTrustedRoot(t *testing.T) {
	want := rootOf(t, newInstance(t)).JSON
	r := newRepository(t, want, time.Now().Add(time.Hour))
	got, err := verify.Updates{URL: updates, Root: r.root, Get: r.get}.TrustedRoot(t.Context())
	if err != nil || string(got) != string(want) {
		t.Fatalf("TrustedRoot = %d bytes, %v, want the published one", len(got), err)
	}
}

func TestUpdatesThatAreNotBelieved(t *testing.T) {
	good := rootOf(t, newInstance(t)).JSON
	fresh := func() *tufRepository { return newRepository(t, good, time.Now().Add(time.Hour)) }
	expired := newRepository(t, good, time.Now().Add(-time.Hour))
	foreign, changed, missing, huge := fresh(), fresh(), fresh(), fresh()
	for name, b := range changed.files {
		if strings.Contains(name, "/targets/") {
			changed.files[name] = append([]byte(" "), b[1:]...)
		}
	}
	delete(missing.files, updates+"/timestamp.json")
	huge.files[updates+"/timestamp.json"] = make([]byte, 1<<20)
	padded := fresh()
	padded.files[updates+"/timestamp.json"] = append(padded.files[updates+"/timestamp.json"], strings.Repeat(" ", 20_000)...)
	careless := func(_ context.Context, url string, _ int64) ([]byte, error) {
		if b, ok := padded.files[url]; ok {
			return b, nil
		}
		return nil, verify.ErrNotFound
	}
	unreachable := fresh()
	down := func(context.Context, string, int64) ([]byte, error) { return nil, errors.New("no route to host") }
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name string
		ctx  context.Context
		u    verify.Updates
	}{
		{"nothing to fetch with", t.Context(), verify.Updates{}},
		{"expired", t.Context(), verify.Updates{URL: updates, Root: expired.root, Get: expired.get}},
		{"signed by others", t.Context(), verify.Updates{URL: updates, Root: fresh().root, Get: foreign.get}},
		{"the public instance's root for another repository", t.Context(), verify.Updates{URL: updates, Get: foreign.get}},
		{"changed on the way", t.Context(), verify.Updates{URL: updates, Root: changed.root, Get: changed.get}},
		{"a file is missing", t.Context(), verify.Updates{URL: updates, Root: missing.root, Get: missing.get}},
		{"a file is huge", t.Context(), verify.Updates{URL: updates, Root: huge.root, Get: huge.get}},
		{"a file is too large, and who fetched it did not look", t.Context(), verify.Updates{URL: updates, Root: padded.root, Get: careless}},
		{"no network", t.Context(), verify.Updates{URL: updates, Root: unreachable.root, Get: down}},
		{"cancelled", ended, verify.Updates{URL: updates, Root: unreachable.root, Get: unreachable.get}},
		{"published, but no trusted root", t.Context(), func() verify.Updates {
			r := newRepository(t, []byte("{}"), time.Now().Add(time.Hour))
			return verify.Updates{URL: updates, Root: r.root, Get: r.get}
		}()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := tt.u.TrustedRoot(tt.ctx); err == nil || got != nil {
				t.Errorf("TrustedRoot = %d bytes, %v, want an error", len(got), err)
			}
		})
	}
	if len(foreign.asked) == 0 {
		t.Error("the repository was never asked")
	}
}
