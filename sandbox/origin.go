package sandbox

import (
	"github.com/krmsafe/krmsafe/internal/jail"
	"github.com/krmsafe/krmsafe/internal/sealed"
)

// Where the compiled code comes from that a run takes from the Cache.
const (
	// CodeNone: the Cache holds none, or there is no Cache.
	CodeNone = "none"
	// CodeLocal: it was made here, by a jailed child of this program.
	CodeLocal = "local"
	// CodeImported: it was made elsewhere, and somebody vouched for it.
	CodeImported = "imported"
)

const maxOriginBytes = 64

// loadedCode is code whose seal was checked once and which nobody could write to
// since, for the other runs of this process.
type loadedCode struct {
	entry  *sealed.Entry
	origin string
}

// maxLoaded is how many modules' code stays open.
const maxLoaded = 64

// loadCode gives a module's code and its origin, or nil and perhaps a note.
func (c *Cache) loadCode(digest string) (*sealed.Entry, string, *Note) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, ok := c.loaded[digest]; ok {
		if l.entry.Held() {
			return l.entry.Share(), l.origin, nil
		}
		c.unload(digest) // somebody asked to write to it: its seal tells what became of it
	}
	entry, origin, note := c.openCode(digest)
	if entry != nil && len(c.loaded) < maxLoaded {
		c.loaded[digest] = loadedCode{entry.Share(), origin}
	}
	return entry, origin, note
}

// unload closes code that was loaded; c.mu is held.
func (c *Cache) unload(digest string) {
	if l, ok := c.loaded[digest]; ok {
		_ = l.entry.Close()
		delete(c.loaded, digest)
	}
}

// openCode reads a module's code from the folder and checks its seal.
func (c *Cache) openCode(digest string) (*sealed.Entry, string, *Note) {
	entry, note := c.load(entryCode, digest)
	if entry == nil {
		return nil, CodeNone, note
	}
	origin, head, err := splitOrigin(entry.Head)
	if err != nil {
		_ = entry.Close()
		c.remove(digest)
		return nil, CodeNone, discarded(err.Error())
	}
	entry.Head = head
	return entry, origin, nil
}

// saveCode keeps a module's code.
func (c *Cache) saveCode(digest, origin string, content sealed.Content) *Note {
	var e jail.Encoder
	e.String(origin)
	e.Bytes(content.Head)
	content.Head = e.Payload()
	c.mu.Lock()
	c.unload(digest)
	c.mu.Unlock()
	return c.save(entryCode, digest, content)
}

func splitOrigin(head []byte) (origin string, rest []byte, err error) {
	d := jail.NewDecoder(head)
	origin, rest = d.String(maxOriginBytes), d.Bytes(maxHeadBytes)
	if err := d.Close(); err != nil {
		return "", nil, err
	}
	return origin, rest, nil
}

// CodeOrigin says where the code comes from that a run of m would take from the Cache:
// CodeNone, CodeLocal or CodeImported.
func (s *Sandbox) CodeOrigin(m *Module) string {
	c := s.cfg.Cache
	if c == nil || s.cfg.Engine == EngineInterpreter {
		return CodeNone
	}
	head, err := c.store.Head(c.binding(entryCode, m.digest).encode())
	if err != nil {
		return CodeNone // the run says why, if there is anything to say
	}
	origin, _, err := splitOrigin(head)
	if err != nil {
		return CodeNone
	}
	return origin
}
