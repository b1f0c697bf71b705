package sandbox

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/krmsafe/krmsafe/internal/sealed"
)

// CacheEntry is one entry of a Cache as it lies in its folder.
type CacheEntry struct {
	Name    string    `json:"name"`
	Bytes   int64     `json:"bytes"`
	Used    time.Time `json:"used"` // last
	Binding Binding   `json:"binding"`
	// Usable tells that this program on this machine would use the entry.
	Usable bool `json:"usable"`
	// Problem says why nobody would; it is empty where all is well.
	Problem string `json:"problem"`
}

// List lists the entries, the last used first. With deep every entry is read whole and
// its seal checked, and what does not hold is removed and listed with the reason;
// without, Binding is what the entry says of itself.
func (c *Cache) List(deep bool) ([]CacheEntry, error) {
	found, err := c.store.List(deep)
	if err != nil {
		return nil, cacheError(err)
	}
	out := []CacheEntry{}
	for _, f := range found {
		e := CacheEntry{Name: strings.TrimSuffix(f.Name, ".sealed"), Bytes: f.Bytes, Used: f.Used}
		switch {
		case f.Err != nil:
			e.Problem = f.Err.Error()
		case json.Unmarshal(f.Binding, &e.Binding) != nil:
			e.Problem = "it does not say what it was made for"
		default:
			e.Usable = c.binding(e.Binding.Kind, e.Binding.Module, e.Binding.Voucher) == e.Binding
		}
		out = append(out, e)
	}
	return out, nil
}

// Prune removes what killed processes left half written, and what was not used for
// longest until at most maxBytes bytes are left. It gives how much went.
func (c *Cache) Prune(maxBytes int64) (files int, bytes int64, err error) {
	gone, err := c.store.Prune(maxBytes)
	if err != nil {
		return 0, 0, cacheError(err)
	}
	return gone.Files, gone.Bytes, nil
}

// Names of the members of an exported entry, after its number and a slash.
const (
	memberBinding = "binding.json"
	memberHead    = "head"
	memberBulk    = "bulk"
)

// Export writes the code of modules, by their digests, that this program on this
// machine has made, or of all modules where none is named, as a tar archive. Code that
// was made elsewhere is never passed on: only its maker can vouch for it. It gives
// how many entries it wrote. The archive is not sealed: whoever takes code from it must
// know by other means that it is what was exported. What is known of a module is not
// in it: a policy decides on what was found out where it decides.
func (c *Cache) Export(w io.Writer, modules []string) (int, error) {
	list, err := c.List(false)
	if err != nil {
		return 0, err
	}
	archive := tar.NewWriter(w)
	n := 0
	for _, e := range list {
		if !e.Usable || e.Binding.Kind != entryCode || e.Binding.Voucher != "" || len(modules) > 0 && !slices.Contains(modules, e.Binding.Module) {
			continue
		}
		entry, note := c.loadCode(codeID{e.Binding.Module, ""})
		if note != nil {
			return n, &CacheError{Code: note.Code, Message: note.Message, Hint: note.Hint}
		}
		if entry == nil {
			continue // gone meanwhile
		}
		err := writeEntry(archive, fmt.Sprintf("%d/", n), e.Binding, entry)
		_ = entry.Close()
		if err != nil {
			return n, fmt.Errorf("exporting compiled code: %w", err)
		}
		n++
	}
	if err := archive.Close(); err != nil {
		return n, fmt.Errorf("exporting compiled code: %w", err)
	}
	return n, nil
}

func writeEntry(archive *tar.Writer, prefix string, b Binding, entry *sealed.Entry) error {
	members := []struct {
		name string
		size int64
		r    io.Reader
	}{
		{memberBinding, int64(len(b.encode())), bytes.NewReader(b.encode())},
		{memberHead, int64(len(entry.Head)), bytes.NewReader(entry.Head)},
	}
	if entry.File != nil {
		members = append(members, struct {
			name string
			size int64
			r    io.Reader
		}{memberBulk, entry.BulkBytes, io.NewSectionReader(entry.File, entry.BulkOffset, entry.BulkBytes)})
	}
	for _, m := range members {
		if err := archive.WriteHeader(&tar.Header{Name: prefix + m.name, Mode: 0o400, Size: m.size, Format: tar.FormatPAX}); err != nil {
			return err
		}
		if _, err := io.Copy(archive, m.r); err != nil {
			return err
		}
	}
	return nil
}

// Imported says what became of an archive's entries.
type Imported struct {
	Kept int `json:"kept"`
	// Skipped are entries of other programs or machines.
	Skipped int `json:"skipped"`
}

// Import takes entries from an archive that Export wrote, and seals those that this
// program on this machine would use, beside what was made here and never in its place.
// Every run may take them that has not Job.LocalCode. The caller vouches for every byte
// of it, by a signature or a digest that it was told by somebody it trusts: the code in
// it is executed, in a jail as all functions are. Where modules are named, by their
// digests, the archive may hold code of these and nothing else.
func (c *Cache) Import(r io.Reader, modules []string) (Imported, error) {
	return c.importAs(r, modules, byHand)
}

func (c *Cache) importAs(r io.Reader, modules []string, voucher string) (Imported, error) {
	var out Imported
	archive := tar.NewReader(r)
	var item importedEntry
	known := int64(0)
	if whole, ok := r.(interface{ Len() int }); ok {
		known = int64(whole.Len())
	}
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return out, item.finish(c, voucher, &out)
		}
		if err != nil {
			return out, fmt.Errorf("importing compiled code: %w", err)
		}
		number, member, ok := strings.Cut(header.Name, "/")
		if !ok || header.Typeflag != tar.TypeReg {
			return out, fmt.Errorf("importing compiled code: %q is no part of an entry", clip(header.Name))
		}
		if number != item.number {
			if err := item.finish(c, voucher, &out); err != nil {
				return out, err
			}
			item = importedEntry{number: number, known: known}
		}
		if err := item.take(member, header.Size, archive); err != nil {
			return out, fmt.Errorf("importing compiled code: %w", err)
		}
		if member == memberBinding && len(modules) > 0 && !slices.Contains(modules, item.binding.Module) {
			return out, fmt.Errorf("importing compiled code: the archive holds code of %q, which was not asked for", clip(item.binding.Module))
		}
	}
}

// importedEntry is one entry of an archive as it is read.
type importedEntry struct {
	number  string
	binding Binding
	bound   bool // binding was read
	content sealed.Content
	known   int64 // bytes that the archive has at most, where that is known, or 0
}

// Bounds on an archive's members.
const (
	maxBindingBytes = 64 << 10
	maxBulkBytes    = 2 << 30
)

// take reads one member. The binding comes first, so that what is of no use here is
// passed over.
func (i *importedEntry) take(member string, size int64, r io.Reader) error {
	switch {
	case member == memberBinding && !i.bound:
		text, err := i.read(r, size, maxBindingBytes)
		if err != nil {
			return err
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		i.bound = true
		return decoder.Decode(&i.binding)
	case member == memberHead && i.bound && i.content.Head == nil:
		head, err := i.read(r, size, maxHeadBytes)
		i.content.Head = head
		return err
	case member == memberBulk && i.bound && i.content.Bulk == nil:
		bulk, err := i.read(r, size, maxBulkBytes)
		i.content.Bulk = [][]byte{bulk}
		return err
	}
	return fmt.Errorf("%q is not where it should be", clip(member))
}

// read reads a member. Room for all of it is only made where the archive is known to be
// as large.
func (i *importedEntry) read(r io.Reader, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, fmt.Errorf("a part of %d bytes, at most %d are taken", size, limit)
	}
	if size <= i.known {
		part := make([]byte, size)
		_, err := io.ReadFull(r, part)
		return part, err
	}
	var b bytes.Buffer
	if _, err := io.CopyN(&b, r, size); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// finish keeps an entry that was read whole, if it is of use here.
func (i *importedEntry) finish(c *Cache, voucher string, out *Imported) error {
	if i.number == "" {
		return nil
	}
	if !i.bound || c.binding(i.binding.Kind, i.binding.Module, "") != i.binding {
		out.Skipped++
		return nil
	}
	if err := i.check(); err != nil {
		return fmt.Errorf("importing the %s of %q: %w", i.binding.Kind, clip(i.binding.Module), err)
	}
	if note := c.saveCode(codeID{i.binding.Module, voucher}, i.content); note != nil {
		return &CacheError{Code: note.Code, Message: note.Message, Hint: note.Hint}
	}
	out.Kept++
	return nil
}

// check sees that the parts fit together.
func (i *importedEntry) check() error {
	var bulk int64
	for _, b := range i.content.Bulk {
		bulk += int64(len(b))
	}
	if i.binding.Kind == entryCode {
		head, err := decodeHead(i.content.Head)
		if err != nil {
			return err
		}
		return head.check(bulk)
	}
	return errors.New("only code is imported")
}
