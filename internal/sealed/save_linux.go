package sealed

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Save writes the entry of a binding, in the place of one that is there, and then
// forgets what was not used for longest where the folder holds too much. What alone
// is more than half of what may be kept is not written, which is no error. Content
// that is lost to a crash of the machine is found out by its tag, so nothing waits
// for the disk.
func (s *Store) Save(binding []byte, content Content) error {
	part := fixed{binding: uint32(len(binding)), head: uint32(len(content.Head))} //nolint:gosec // G115: checked below
	for _, b := range content.Bulk {
		part.bulk += uint64(pages(int64(len(b)))) //nolint:gosec // G115: a length is positive
	}
	if len(binding) > maxBinding || len(content.Head) > maxHead || part.bulk > maxBulk {
		return fmt.Errorf("keeping an entry: %w", errLength)
	}
	if part.size() > s.cfg.MaxBytes/2 {
		return nil
	}
	k, err := s.makeKey()
	if err != nil {
		return err
	}
	if err := s.write(k, nameOf(binding), binding, content, part); err != nil {
		return fmt.Errorf("keeping an entry: %w", err)
	}
	_, err = s.Prune(s.cfg.MaxBytes)
	return err
}

const temporary = ".tmp"

// write makes the file under a name of its own, which it holds a lock on until it
// has been renamed.
func (s *Store) write(k *key, name string, binding []byte, content Content, part fixed) (err error) {
	if _, err := rand.Read(part.salt[:]); err != nil {
		return err
	}
	f, tmp, err := s.temporary(name)
	if err != nil {
		return err
	}
	if err = s.fill(f, k, name, binding, content, part); err == nil {
		now := s.cfg.Now()
		err = errors.Join(s.root.Chtimes(tmp, now, now), s.root.Rename(tmp, name))
	}
	if err != nil {
		err = errors.Join(err, s.root.Remove(tmp))
	}
	return errors.Join(err, f.Close())
}

// temporary makes a locked file with a name that no other process uses. One that is
// collected before it is locked is made again.
func (s *Store) temporary(name string) (*os.File, string, error) {
	for range 100 {
		var random [8]byte
		if _, err := rand.Read(random[:]); err != nil {
			return nil, "", err
		}
		tmp := strings.TrimSuffix(name, suffix) + "." + hex.EncodeToString(random[:]) + temporary
		f, err := s.root.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, "", err
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			if _, err := s.root.Lstat(tmp); err == nil {
				return f, tmp, nil
			}
		}
		_ = f.Close()
		_ = s.root.Remove(tmp)
	}
	return nil, "", errors.New("every file was taken away while it was made")
}

// fill writes content and tags.
func (s *Store) fill(f *os.File, k *key, name string, binding []byte, content Content, part fixed) error {
	if err := f.Truncate(part.size()); err != nil {
		return err
	}
	if part.bulk > 0 {
		at := part.bulkOffset()
		for _, b := range content.Bulk {
			if _, err := f.WriteAt(b, at); err != nil {
				return err
			}
			at += pages(int64(len(b)))
		}
		// The tag is over what was written, from memory: what is in the file
		// meanwhile is checked against it when it is read.
		tag, err := k.bulkTag(part.salt, joined(content.Bulk, int(part.bulk))) //nolint:gosec // G115: bounded
		if err != nil {
			return err
		}
		part.tag = tag
	}
	head := part.encode()
	head = append(head, k.mac(name, head, binding, content.Head)...)
	for _, b := range [][]byte{head, binding, content.Head} {
		if _, err := f.Write(b); err != nil {
			return err
		}
	}
	return f.Chmod(0o400)
}

// joined is the bulk as it stands in the file, its only part itself where that
// fills its pages.
func joined(parts [][]byte, size int) []byte {
	if len(parts) == 1 && len(parts[0]) == size {
		return parts[0]
	}
	out := make([]byte, size)
	at := 0
	for _, b := range parts {
		copy(out[at:], b)
		at += int(pages(int64(len(b))))
	}
	return out
}
