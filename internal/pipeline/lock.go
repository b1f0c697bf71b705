package pipeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/krmsafe/krmsafe/internal/lazy"
	"github.com/krmsafe/krmsafe/internal/oci"
)

// LockVersion names the shape of a Lock as JSON.
const LockVersion = "krmsafe.dev/lock/v1"

// MaxLockBytes is the size up to which a lock file is read.
const MaxLockBytes = 8 << 20

// A Lock pins every function of a tree: each reference to the digest it led to,
// to those who had signed it, and to the module's own digest; all of them to the
// policy that was in force. It is made by a person's decision and kept under
// version control; nothing in it is trusted for more than naming what is meant.
type Lock struct {
	Version   string       `json:"version"`
	Policy    string       `json:"policy"`
	Functions []LockedItem `json:"functions"`

	// Dir is the folder of the lock file: local files are named relative to it,
	// wherever krmsafe is started.
	Dir string `json:"-"`
}

// A LockedItem pins one reference. Digest is empty for a local file.
type LockedItem struct {
	Reference    string   `json:"reference"`
	Digest       string   `json:"digest"`
	ModuleDigest string   `json:"moduleDigest"`
	Signers      []string `json:"signers"`
}

// ParseLock reads a lock file strictly. It must be, but for line ends, what Encode
// writes: a field twice, an unknown one, one in other letters or another order is
// an error, so that a reviewer and krmsafe read the same.
func ParseLock(data []byte) (*Lock, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var l Lock
	if err := dec.Decode(&l); err != nil {
		return nil, fmt.Errorf("it is not a lock file: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the lock")
	}
	if l.Version != LockVersion {
		return nil, fmt.Errorf("its version is %q and not %q", l.Version, LockVersion)
	}
	seen := map[string]bool{}
	for _, f := range l.Functions {
		_, err := oci.ParseRef(f.Reference)
		image := err == nil
		if f.Reference == "" || !isDigest(f.ModuleDigest) || image != isDigest(f.Digest) || f.Signers == nil || seen[f.Reference] {
			return nil, fmt.Errorf("the entry for %q is incomplete or there twice", f.Reference)
		}
		seen[f.Reference] = true
	}
	canonical, err := l.Encode()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(bytes.TrimSpace(canonical), bytes.TrimSpace(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")))) {
		return nil, errors.New("it is not as krmsafe lock writes it: a field stands twice, or in other letters or another order")
	}
	return &l, nil
}

// Encode writes the lock, its functions sorted by reference.
func (l Lock) Encode() ([]byte, error) {
	l.Version = LockVersion
	l.Functions = slices.Clone(l.Functions)
	slices.SortFunc(l.Functions, func(a, b LockedItem) int { return bytes.Compare([]byte(a.Reference), []byte(b.Reference)) })
	data, err := json.MarshalIndent(l, "", "  ")
	return append(data, '\n'), err
}

var digestForm = lazy.Regexp(`^sha256:[0-9a-f]{64}$`)

func isDigest(s string) bool { return digestForm().MatchString(s) }

// Find gives the entry of a reference, nil where there is none.
func (l *Lock) Find(reference string) *LockedItem {
	for i := range l.Functions {
		if l.Functions[i].Reference == reference {
			return &l.Functions[i]
		}
	}
	return nil
}

// lockName is what a module is called in a lock whose file lies in dir: an image by its
// reference, a local file by its path from there.
func (f Function) lockName(dir string) string {
	if f.Source != "file" || strings.HasPrefix(f.Reference, "git::") { // of a repository
		return f.Reference
	}
	base, err := filepath.Abs(dir)
	if err != nil {
		return f.Reference
	}
	path, err := filepath.Abs(f.Reference)
	if err != nil {
		return f.Reference
	}
	rel, err := filepath.Rel(base, path)
	if err != nil {
		return f.Reference
	}
	return filepath.ToSlash(rel)
}

// Locked is the entry, in a lock whose file lies in dir, that a verified report
// stands for.
func Locked(r *Report, dir string) LockedItem {
	item := LockedItem{Reference: r.Function.lockName(dir), Digest: r.Function.Digest, ModuleDigest: r.Function.ModuleDigest, Signers: []string{}}
	for _, s := range r.Signatures {
		item.Signers = append(item.Signers, signer(s))
	}
	slices.Sort(item.Signers)
	item.Signers = slices.Compact(item.Signers)
	return item
}

// signer identifies who made a signature: a key by its digest, an identity by
// its issuer and subject.
func signer(s Signature) string {
	if s.Type == "key" {
		return "key " + s.KeyID
	}
	return fmt.Sprintf("%s %s", s.Issuer, s.Subject)
}

// pinned gives the reference to fetch: under a lock the locked digest, wherever
// a tag has moved since.
func (j *judgement) pinned(ref oci.Ref) (oci.Ref, bool) {
	lock := j.p.cfg.Lock
	if lock == nil {
		return ref, true
	}
	entry := lock.Find(j.name())
	if entry == nil {
		j.refuse(StageFetch, "lock.missing", j.name()+" is not locked", "add it with krmsafe lock, and review the change")
		return ref, false
	}
	ref.Tag, ref.Digest = "", entry.Digest
	return ref, true
}

// locked compares what was verified with the lock.
func (j *judgement) locked() {
	lock := j.p.cfg.Lock
	if lock == nil || j.refused() {
		return
	}
	found := Locked(j.report, lock.Dir)
	entry := lock.Find(found.Reference)
	const hint = "if the change is meant, run krmsafe lock and review what it writes"
	switch {
	case entry == nil:
		j.refuse(StageVerify, "lock.missing", j.name()+" is not locked", "add it with krmsafe lock, and review the change")
	case entry.Digest != found.Digest:
		j.refuse(StageVerify, "lock.digest", fmt.Sprintf("%s is locked to %s and is %s", j.name(), entry.Digest, found.Digest), hint)
	case entry.ModuleDigest != found.ModuleDigest:
		j.refuse(StageVerify, "lock.module", fmt.Sprintf("the module of %s is locked to %s and is %s", j.name(), entry.ModuleDigest, found.ModuleDigest), hint)
	case !slices.Equal(entry.Signers, found.Signers):
		j.refuse(StageVerify, "lock.signers", fmt.Sprintf("%s is locked to the signers %q and is signed by %q", j.name(), entry.Signers, found.Signers), hint)
	case lock.Policy != j.p.cfg.Policy.Digest():
		j.refuse(StageVerify, "lock.policy", fmt.Sprintf("%s is locked under policy %s and is judged by %s", j.name(), lock.Policy, j.p.cfg.Policy.Digest()), hint)
	}
}
