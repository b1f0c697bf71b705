package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/krmsafe/krmsafe/internal/fuel"
	"github.com/krmsafe/krmsafe/internal/hashed"
	"github.com/krmsafe/krmsafe/internal/jail"
	"github.com/krmsafe/krmsafe/internal/sealed"
)

// Fill says when a Cache keeps what it does not hold yet. The zero Fill is
// FillNever.
type Fill string

// When compiled code is kept.
const (
	// FillNever uses what is there and writes nothing.
	FillNever Fill = "use"
	// FillSeen keeps what is compiled anyway, and compiles for the cache a large
	// module that was seen before: on a machine that forgets everything nothing is
	// compiled in vain.
	FillSeen Fill = "auto"
	// FillAlways compiles every module that is not held, at its first run.
	FillAlways Fill = "fill"
)

// CacheConfig says where compiled code is kept.
type CacheConfig struct {
	// Dir is a folder of this user alone. KeyFile, outside of it, holds the key
	// under which entries are sealed. Both are made where they do not exist.
	Dir, KeyFile string
	// MaxBytes is how much the folder may hold: about seven times a module's code
	// for each.
	MaxBytes int64
	Fill     Fill
	// Build names the program, so that no other version's code is taken.
	Build string
	// Now is a clock, for the age of entries.
	Now func() time.Time
}

// CacheError says that a folder or its key is not as private as it must be, or that
// this system cannot keep compiled code safely.
type CacheError struct {
	Code    string // "cache.unsafe" or "cache.unsupported"
	Message string
	Hint    string
}

// Error gives the message.
func (e *CacheError) Error() string { return e.Message }

// Codes of a CacheError and of a Note.
const (
	CodeCacheUnsafe      = "cache.unsafe"
	CodeCacheUnsupported = "cache.unsupported"
	CodeCacheDiscarded   = "cache.discarded"
	CodeCacheUnkept      = "cache.unkept"
)

// Cache keeps machine code between runs, so that a large module starts in a tenth
// of a second. Machine code is executed: what is held is sealed under a key, and
// bound to the module's digest, this build, Go's and the engine's versions, the
// processor, the engine's options and the fuel model. Any doubt discards an entry
// and compiles again. See docs/cache.md. It may be used concurrently and by several
// Sandboxes.
//
// # Whom an entry is trusted for
//
// An entry's code was made by a jailed child before it ran a single instruction of
// the module. A module that takes over its compiler could put anything into it, but
// only into its own entry, which runs for this module only and in a jail just like
// the one in which the module itself would run.
//
// Code that was made elsewhere has entries of its own, one for each who vouched for
// it, and runs for those who believe that very voucher: see Job.Voucher.
type Cache struct {
	store *sealed.Store
	fill  Fill
	build string

	mu     sync.Mutex
	seen   map[string]bool          // digests that this process has looked into
	loaded map[codeID]*sealed.Entry // seals that were checked; see loadCode
}

// OpenCache opens a cache. A folder that somebody else could write to is refused
// with a *CacheError.
func OpenCache(cfg CacheConfig) (*Cache, error) {
	switch cfg.Fill {
	case "":
		cfg.Fill = FillNever
	case FillNever, FillSeen, FillAlways:
	default:
		return nil, fmt.Errorf("sandbox: unknown fill %q: want use, auto or fill", string(cfg.Fill))
	}
	store, err := sealed.Open(sealed.Config{Dir: cfg.Dir, KeyFile: cfg.KeyFile, MaxBytes: cfg.MaxBytes, Now: cfg.Now})
	if err != nil {
		return nil, cacheError(err)
	}
	return &Cache{store: store, fill: cfg.Fill, build: cfg.Build, seen: map[string]bool{}, loaded: map[codeID]*sealed.Entry{}}, nil
}

// Close gives up the folder, and the code that was loaded from it.
func (c *Cache) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.loaded {
		c.unload(id)
	}
	return c.store.Close()
}

func cacheError(err error) error {
	var loose *sealed.UnsafeError
	switch {
	case errors.As(err, &loose):
		return &CacheError{Code: CodeCacheUnsafe, Message: "the cache of compiled code: " + loose.Error(), Hint: loose.Hint}
	case errors.Is(err, sealed.ErrUnsupported):
		return &CacheError{Code: CodeCacheUnsupported, Message: "the cache of compiled code: this system has no means to keep it safely", Hint: "use Linux, or --compile-cache off"}
	}
	return fmt.Errorf("sandbox: %w", err)
}

// Kinds of entries.
const (
	entryCode  = "code"
	entryFacts = "facts"
)

// Binding is all that an entry depends on: one that differs in any of it is another
// entry.
type Binding struct {
	Kind    string `json:"kind"`    // code or facts
	Module  string `json:"module"`  // digest
	Voucher string `json:"voucher"` // of code that was made elsewhere: see Job.Voucher; empty for what was made here
	Build   string `json:"build"`   // of this program
	Go      string `json:"go"`      // version
	Engine  string `json:"engine"`  // wazero's version
	Options string `json:"options"` // of the engine
	Target  string `json:"target"`  // system and processor
	CPU     string `json:"cpu"`     // features that machine code may use
	Fuel    string `json:"fuel"`    // cost model
	Format  int    `json:"format"`  // of the entry
}

// formatVersion changes with the form of what an entry holds.
const formatVersion = 4

// engineOptions are those of every compilation; limits are not among them, as the
// machine code does not depend on any.
const engineOptions = "compiler core-v2 debug=off close-on-done=off"

// binding is that of an entry which this program on this machine would use.
func (c *Cache) binding(kind, digest, voucher string) Binding {
	return Binding{
		Kind: kind, Module: digest, Voucher: voucher, Build: c.build, Go: runtime.Version(), Engine: wazeroVersion(), Options: engineOptions,
		Target: runtime.GOOS + "/" + runtime.GOARCH, CPU: jail.Processor(), Fuel: fuel.Model, Format: formatVersion,
	}
}

func (b Binding) encode() []byte {
	text, err := json.Marshal(b)
	if err != nil {
		panic(err) // strings and a number can always be written
	}
	return text
}

// wazeroVersion is the version of the engine that was linked.
var wazeroVersion = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range info.Deps {
		if m.Path == "github.com/tetratelabs/wazero" {
			if m.Replace != nil {
				m = m.Replace
			}
			return m.Version + " " + m.Sum
		}
	}
	return "unknown"
})

// Note is something that a report should tell of the cache.
type Note struct {
	Code    string
	Message string
	Hint    string
}

// load gives an entry, or nil and perhaps a note on why there is none.
func (c *Cache) load(b Binding) (*sealed.Entry, *Note) {
	entry, err := c.store.Load(b.encode())
	var doubt *sealed.DoubtError
	switch {
	case err == nil:
		return entry, nil
	case errors.Is(err, sealed.ErrAbsent):
		return nil, nil
	case errors.As(err, &doubt):
		return nil, discarded(doubt.Error())
	}
	return nil, &Note{Code: CodeCacheUnsafe, Message: "compiled code was not taken from the cache: " + err.Error(), Hint: hintOf(err)}
}

func discarded(reason string) *Note {
	return &Note{
		Code: CodeCacheDiscarded, Message: "compiled code was discarded and is made again: " + reason,
		Hint: "find out who writes to the cache's folder, if this happens again",
	}
}

// unknown is discarded for what was known of a module, which policies judge.
func unknown(reason string) *Note {
	n := discarded(reason)
	n.Message = "what the cache knew of the module was discarded, and it is looked into again: " + reason
	return n
}

func hintOf(err error) string {
	var loose *sealed.UnsafeError
	if errors.As(err, &loose) {
		return loose.Hint
	}
	return ""
}

// save keeps an entry. That it could not be kept is worth a note.
func (c *Cache) save(b Binding, content sealed.Content) *Note {
	if err := c.store.Save(b.encode(), content); err != nil {
		return &Note{Code: CodeCacheUnkept, Message: "compiled code could not be kept: " + err.Error(), Hint: hintOf(err)}
	}
	return nil
}

// inspect is Inspect for modules that were accepted before by this very build: what
// is known of them is read in place of finding it out again.
func (c *Cache) inspect(module hashed.Bytes) (*Module, *Note, error) {
	digest, binding := module.Digest(), c.binding(entryFacts, module.Digest(), "")
	entry, err := c.store.Load(binding.encode())
	if err == nil {
		m := &Module{bytes: module.Data(), digest: digest, seen: true}
		if m.known.decode(entry.Head) == nil && m.known.Facts.Digest == digest && m.known.Facts.SizeBytes == int64(module.Len()) {
			return m, nil, nil
		}
	}
	var note *Note
	var doubt *sealed.DoubtError
	if errors.As(err, &doubt) { // of a key that is not private the code's own note tells
		note = unknown(doubt.Error())
	}
	m, err := inspect(module)
	if err == nil && c.fill != FillNever {
		// Without it the module is looked into again, which is no harm.
		_ = c.save(binding, sealed.Content{Head: m.known.encode()})
	}
	return m, note, err
}

// again reports whether a module was run before, by this process or another, and
// notes that it is run now.
func (c *Cache) again(m *Module) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := m.seen || c.seen[m.digest]
	c.seen[m.digest] = true
	return seen
}

// unkept says why the code of a module may not be kept at all; nil where it may.
func (c *Cache) unkept(m *Module) *Note {
	if most := c.store.MaxBytes() / 2; 8*m.known.Facts.CodeBytes+m.known.Facts.DataBytes >= most {
		return &Note{
			Code:    CodeCacheUnkept,
			Message: fmt.Sprintf("compiled code was not kept: it may take more than half of the cache's %d MiB", c.store.MaxBytes()>>20),
			Hint:    "allow more with --compile-cache-size",
		}
	}
	if err := c.store.Writable(); err != nil {
		return &Note{Code: CodeCacheUnkept, Message: "compiled code could not be kept: " + err.Error(), Hint: hintOf(err)}
	}
	return nil
}
