package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"unsafe" //nolint:depguard // one field of the engine's cache is set: see engineCache

	"github.com/tetratelabs/wazero"

	"github.com/krmsafe/krmsafe/internal/jail"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// mappedCode is compiled code as a child gets it: the small parts in memory, the
// machine code and the initial memory in the file that the child was given.
type mappedCode struct {
	stub, prefix, suffix  []byte
	names                 counterNames
	tables                []wasm.Table // of the stub, to be held to the run's limit
	codeBytes, imageBytes int64
}

// head is the small part of compiled code.
func (c *compiled) head() []byte {
	var e jail.Encoder
	e.Bytes(c.stub)
	e.Bytes(c.prefix)
	e.Bytes(c.suffix)
	e.String(c.names.fuel)
	e.String(c.names.depth)
	e.String(c.names.start)
	e.U64(uint64(len(c.code)))
	e.U64(uint64(len(c.image)))
	e.U32(uint32(len(c.tables))) //nolint:gosec // G115: the decoder bounds it
	for _, t := range c.tables {
		e.U8(uint8(t.Type))
		e.U32(t.Size.Min)
		e.U32(t.Size.Max)
		e.Bool(t.Size.HasMax)
	}
	return e.Payload()
}

// maxTables is far more than the decoder accepts.
const maxTables = 1 << 12

func decodeHead(head []byte) (*mappedCode, error) {
	const most = maxHeadBytes
	d := jail.NewDecoder(head)
	c := &mappedCode{
		stub: d.Bytes(most), prefix: d.Bytes(most), suffix: d.Bytes(most),
		names:     counterNames{fuel: d.String(1 << 16), depth: d.String(1 << 16), start: d.String(1 << 16)},
		codeBytes: int64(d.U64()), imageBytes: int64(d.U64()), //nolint:gosec // G115: check refuses what is negative
	}
	for left := d.U32(); left > 0 && len(c.tables) < maxTables; left-- {
		c.tables = append(c.tables, wasm.Table{Type: wasm.ValType(d.U8()), Size: wasm.SizeRange{Min: d.U32(), Max: d.U32(), HasMax: d.Bool()}})
	}
	if err := d.Close(); err != nil {
		return nil, fmt.Errorf("reading compiled code: %w", err)
	}
	return c, nil
}

// engineCache stands in the place of wazero's own cache of compiled code, in a
// process that can open no file. Of wazero's two ends of the cache it serves
// exactly one: Add, to take what was compiled, or Get, to give what is mapped.
//
// # Why a field is set by reflection
//
// wazero's public API takes a folder's name for its cache and opens files in it,
// which a jailed child cannot do. The cache behind it is an interface with three
// methods, all of public types, in an unexported field. The version is pinned, and
// TestEngineCacheIsTaken says when the field is not what it was: nothing is then
// taken from a cache or kept in one, and modules are compiled as without.
type engineCache struct {
	take func(serialized []byte) error // what was compiled; nil takes nothing
	give *mappedReader                 // what is mapped; nil has nothing
}

// Get gives what is mapped, whatever the key: a child runs one module, and the
// parent has made sure that this is its code.
func (c *engineCache) Get([32]byte) (io.ReadCloser, bool, error) {
	if c.give == nil || c.give.opened {
		return nil, false, nil
	}
	c.give.opened = true
	return c.give, true, nil
}

// Add takes what was compiled.
func (c *engineCache) Add(_ [32]byte, content io.Reader) error {
	if c.take == nil {
		return nil
	}
	var whole wholeWriter
	if _, err := io.Copy(&whole, content); err != nil {
		return err
	}
	return c.take(whole.all)
}

// Delete is what the engine calls where code is of another version than its own.
func (c *engineCache) Delete([32]byte) error {
	return errors.New("the compiled code is of another version of the engine")
}

// wholeWriter keeps what is written. A bytes.Reader writes all of it at once, which
// is then not copied.
type wholeWriter struct{ all []byte }

// Write appends p, or keeps it where it is the first.
func (w *wholeWriter) Write(p []byte) (int, error) {
	if w.all == nil {
		w.all = p[:len(p):len(p)]
		return len(p), nil
	}
	w.all = append(w.all, p...)
	return len(p), nil
}

var errNoEngineCache = errors.New("the engine's cache is not what it was")

// wazeroCache gives a cache for wazero that is c.
func (c *engineCache) wazeroCache() (wazero.CompilationCache, error) {
	cache := wazero.NewCompilationCache()
	v := reflect.ValueOf(cache)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return nil, errNoEngineCache
	}
	field := v.Elem().FieldByName("fileCache")
	if !field.IsValid() || field.Kind() != reflect.Interface || !reflect.TypeOf(c).Implements(field.Type()) {
		return nil, errNoEngineCache
	}
	reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Set(reflect.ValueOf(c)) //nolint:gosec // G103: see engineCache
	return cache, nil
}

// split cuts what the engine serialises into what stands before the machine code,
// the code, and what stands behind it (wazero v1.12.0, engine_cache.go): a magic
// number, a version, the functions' offsets, and the code's length; a checksum, and
// maps that are empty where nothing asked for them.
func split(serialized []byte) (prefix, code, suffix []byte, err error) {
	r := serialReader{rest: serialized}
	r.take(6)
	if version := r.take(1); version != nil {
		r.take(uint64(version[0]))
	}
	r.take(8 * r.number(4))
	length := r.number(8)
	prefix = serialized[:len(serialized)-len(r.rest)]
	code = r.take(length)
	if r.short || len(prefix) == 0 {
		return nil, nil, nil, errors.New("the engine's form of compiled code is not what it was")
	}
	return prefix, code, r.rest, nil
}

type serialReader struct {
	rest  []byte
	short bool
}

func (r *serialReader) take(n uint64) []byte {
	if r.short || n > uint64(len(r.rest)) {
		r.short = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *serialReader) number(width uint64) (n uint64) {
	for i, b := range r.take(width) {
		n |= uint64(b) << (8 * i)
	}
	return n
}

// mappedReader is what the engine reads its compiled code from. Where it reads the
// machine code, into a block that it has reserved for it, the file is mapped over
// the block in place of copying a hundred megabytes.
type mappedReader struct {
	prefix, suffix *bytes.Reader
	code           int64 // length of the code
	offset         int64 // of the code in the file
	opened, mapped bool
	place          []byte // where the code is mapped
}

func newMappedReader(c *mappedCode, offset int64) *mappedReader {
	return &mappedReader{prefix: bytes.NewReader(c.prefix), suffix: bytes.NewReader(c.suffix), code: c.codeBytes, offset: offset}
}

// Read reads the prefix, then maps the code, then reads the suffix.
func (r *mappedReader) Read(p []byte) (int, error) {
	switch {
	case r.prefix.Len() > 0:
		return r.prefix.Read(p)
	case !r.mapped && r.code > 0:
		if int64(len(p)) != r.code {
			return 0, fmt.Errorf("the engine reads %d bytes of code, there are %d", len(p), r.code)
		}
		if err := jail.MapCode(p, r.offset); err != nil {
			return 0, err
		}
		r.mapped, r.place = true, p
		return len(p), nil
	}
	return r.suffix.Read(p)
}

// Close does nothing: the file stays mapped.
func (r *mappedReader) Close() error { return nil }

// forget takes the code out of this process's memory, which comes back page by page
// as it runs: the engine has read all of it for its checksum, a hundred megabytes of
// which a run needs few, and which the guest's memory would come on top of.
func (r *mappedReader) forget() { jail.Forget(r.place) }

// used reports whether the engine has read all of it and compiled nothing itself.
func (r *mappedReader) used() bool {
	return r.opened && r.prefix.Len() == 0 && r.suffix.Len() == 0 && (r.mapped || r.code == 0)
}
