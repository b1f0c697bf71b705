package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"slices"

	"github.com/krmsafe/krmsafe/internal/sealed"
)

// Where the compiled code comes from that a run takes from the Cache.
const (
	// CodeNone: the Cache holds none that the run may take, or there is no Cache.
	CodeNone = "none"
	// CodeLocal: it was made here, by a jailed child of this program.
	CodeLocal = "local"
	// CodeImported: it was made elsewhere, and somebody vouched for it.
	CodeImported = "imported"
)

// byHand vouches for what Cache.Import took: whoever owns the Cache did it.
const byHand = "import"

// believe lists whose code a run may take, in the order in which it is looked for:
// what was made here, what the Cache's owner imported, and what the run's own voucher
// vouched for.
func believe(voucher string) []string {
	if voucher == "" || voucher == byHand {
		return []string{"", byHand}
	}
	return []string{"", byHand, voucher}
}

// codeID tells code apart: of which module it is, and who vouched for it; nobody had
// to for what was made here. Code that one vouched for never stands for another's.
type codeID struct{ module, voucher string }

func (c *Cache) codeBinding(id codeID) Binding { return c.binding(entryCode, id.module, id.voucher) }

// maxLoaded is how many modules' code stays open.
const maxLoaded = 64

// loadCode gives code, or nil and perhaps a note. Code whose seal was checked once and
// which nobody could write to since serves the other runs of this process.
func (c *Cache) loadCode(id codeID) (*sealed.Entry, *Note) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if held, ok := c.loaded[id]; ok {
		if held.Held() {
			return held.Share(), nil
		}
		c.unload(id) // somebody asked to write to it: its seal tells what became of it
	}
	entry, note := c.load(c.codeBinding(id))
	if entry != nil && len(c.loaded) < maxLoaded {
		c.loaded[id] = entry.Share()
	}
	return entry, note
}

// unload closes code that was loaded; c.mu is held.
func (c *Cache) unload(id codeID) {
	if entry, ok := c.loaded[id]; ok {
		_ = entry.Close()
		delete(c.loaded, id)
	}
}

// saveCode keeps code.
func (c *Cache) saveCode(id codeID, content sealed.Content) *Note {
	c.mu.Lock()
	c.unload(id)
	c.mu.Unlock()
	return c.save(c.codeBinding(id), content)
}

// discard removes code.
func (c *Cache) discard(id codeID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unload(id)
	_ = c.store.Discard(c.codeBinding(id).encode())
}

// CodeOrigin says where the code comes from that a run of m with this Job.Voucher would
// take from the Cache: CodeNone, CodeLocal or CodeImported. An entry that is not what it
// should be is removed, and the next run tells so, or Notes.
func (s *Sandbox) CodeOrigin(m *Module, voucher string) string {
	c := s.cfg.Cache
	if c == nil || s.cfg.Engine == EngineInterpreter {
		return CodeNone
	}
	for _, v := range believe(voucher) {
		_, err := c.store.Head(c.codeBinding(codeID{m.digest, v}).encode())
		var doubt *sealed.DoubtError
		switch {
		case err == nil && v == "":
			return CodeLocal
		case err == nil:
			return CodeImported
		case errors.As(err, &doubt):
			s.mu.Lock()
			s.keep(*discarded(doubt.Error()))
			s.mu.Unlock()
		}
	}
	return CodeNone // the run says why, if there is anything else to say
}

// WantsCode gives the key of the compiled code that a run of m would use, if the Cache
// could keep it and has none that a run with this Job.Voucher would take. Two programs
// have the same key for a module if and only if each can use what the other compiled.
func (s *Sandbox) WantsCode(m *Module, voucher string) (key string, wanted bool) {
	c := s.cfg.Cache
	if c == nil || c.fill == FillNever || s.cfg.Engine == EngineInterpreter || c.unkept(m) != nil {
		return "", false
	}
	return c.CodeKey(m.digest), !slices.ContainsFunc(believe(voucher), func(v string) bool {
		return c.store.Has(c.codeBinding(codeID{m.digest, v}).encode())
	})
}

// CodeKey is the key of the code that this program on this machine would use of a module,
// by its digest.
func (c *Cache) CodeKey(module string) string {
	sum := sha256.Sum256(c.codeBinding(codeID{module, ""}).encode())
	return hex.EncodeToString(sum[:])
}

// ImportCode is Cache.Import for the code of m, which must be in the archive. Only runs
// with the same Job.Voucher take it: a text that names those who were believed, such as
// a digest of all that their signature was checked against.
func (s *Sandbox) ImportCode(r io.Reader, m *Module, voucher string) error {
	if voucher == "" || voucher == byHand {
		return errors.New("importing compiled code: nobody vouches for it")
	}
	got, err := s.cfg.Cache.importAs(r, []string{m.digest}, voucher)
	if err == nil && got.Kept == 0 {
		err = errors.New("importing compiled code: the archive holds none for this program and machine")
	}
	return err
}
