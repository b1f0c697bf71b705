package jail_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/krmsafe/krmsafe/internal/jail"
)

// given is a file of two pages, of which the first says code and the second data.
func given(t *testing.T) *os.File {
	t.Helper()
	page := os.Getpagesize()
	content := make([]byte, 2*page)
	copy(content, "code")
	copy(content[page:], "data")
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, content, 0o400); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// mapping does with the file that the child was given what arg names.
func mapping(in *jail.Inside, arg string) error {
	if _, err := in.Receive(kindAsk, 1<<20); err != nil {
		return err
	}
	answer, err := mappings[arg]()
	if err != nil {
		answer = err.Error()
	}
	return in.Send(kindAnswer, []byte(answer))
}

func place() ([]byte, error) {
	return unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
}

func mapFile(prot, flags int) (string, error) {
	_, err := unix.Mmap(3, 0, os.Getpagesize(), prot, flags)
	return "mapped", err
}

var mappings = map[string]func() (string, error){
	"both": func() (string, error) {
		code, err := place()
		if err != nil {
			return "", err
		}
		data, err := place()
		if err != nil {
			return "", err
		}
		if err := jail.MapCode(code[:10], 0); err != nil {
			return "", err
		}
		if err := unix.Mprotect(code, unix.PROT_READ|unix.PROT_EXEC); err != nil {
			return "", err
		}
		jail.Forget(code[:10]) // and it is there again when it is read
		if err := jail.MapMemory(data, int64(os.Getpagesize())); err != nil {
			return "", err
		}
		data[3] = 'e'
		return string(code[:4]) + " " + string(data[:4]), nil
	},
	"crooked": func() (string, error) {
		b, err := place()
		if err != nil {
			return "", err
		}
		return fmt.Sprint(jail.MapCode(b, 1) != nil, jail.MapCode(b[1:], 0) != nil, jail.MapCode(nil, 0) != nil, jail.MapCode(b, -1) != nil), nil
	},
	"read":       func() (string, error) { return mapFile(unix.PROT_READ, unix.MAP_PRIVATE) },
	"shared":     func() (string, error) { return mapFile(unix.PROT_READ, unix.MAP_SHARED) },
	"executable": func() (string, error) { return mapFile(unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE) },
	"other": func() (string, error) {
		_, err := unix.Mmap(1, 0, os.Getpagesize(), unix.PROT_READ, unix.MAP_PRIVATE)
		return "mapped", err
	},
	"write": func() (string, error) {
		_, err := unix.Pwrite(3, []byte("x"), 0)
		return "written", err
	},
	"truncate":  func() (string, error) { return "truncated", unix.Ftruncate(3, 0) },
	"duplicate": func() (string, error) { _, err := unix.Dup(3); return "duplicated", err },
}

func mapped(t *testing.T, arg string, f *os.File) *jail.Child {
	t.Helper()
	c, err := jail.Start(t.Context(), jail.Config{Role: roleMap + ":" + arg, File: f})
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	if err := c.Bound(smallBounds); err != nil {
		t.Fatalf("Bound: %v; %+v", err, end(c))
	}
	return c
}

// A child sees the file's content where it asks for it, and what it writes stays
// its own.
func TestFileIsMapped(t *testing.T) {
	f := given(t)
	c := mapped(t, "both", f)
	defer end(c)
	if !c.Report().Complete() {
		t.Errorf("Report() = %+v, want a full jail", c.Report())
	}
	if got := ask(t, c, ""); got != "code date" {
		t.Errorf("answer = %q, want the file's content", got)
	}
	content := make([]byte, 2*os.Getpagesize())
	if _, err := f.ReadAt(content, 0); err != nil || !bytes.HasPrefix(content[os.Getpagesize():], []byte("data")) {
		t.Errorf("the file was changed by its mapping (%v)", err)
	}
}

// What is forgotten is in memory no more, and as it was when it is read again.
func TestForgetGivesPagesBack(t *testing.T) {
	content := bytes.Repeat([]byte("code"), 1<<20)
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, content, 0o400); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it was only read from
	code, err := unix.Mmap(int(f.Fd()), 0, len(content), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(code) //nolint:errcheck // the process ends
	if !bytes.Equal(code, content) || resident(t, code) < 1<<20 {
		t.Fatalf("%d bytes are in memory after all were read", resident(t, code))
	}
	jail.Forget(code[:len(code)-10])
	if got := resident(t, code); got != 0 {
		t.Errorf("%d bytes are in memory, want none", got)
	}
	if !bytes.Equal(code, content) {
		t.Error("what was forgotten is not what it was")
	}
}

// resident is how much of a mapping is in this process's memory.
func resident(t *testing.T, mapping []byte) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut("\n"+string(maps), fmt.Sprintf("\n%x-", &mapping[0]))
	_, rest, hasRss := strings.Cut(rest, "\nRss:")
	var kb int
	if _, err := fmt.Sscan(rest, &kb); err != nil || !found || !hasRss {
		t.Fatalf("the kernel does not show the mapping (%v)", err)
	}
	return kb << 10
}

func TestCrookedMappingsAreErrors(t *testing.T) {
	c := mapped(t, "crooked", given(t))
	defer end(c)
	if got := ask(t, c, ""); got != "true true true true" {
		t.Errorf("answer = %q, want four errors", got)
	}
}

// The file may be mapped and that is all; without a file there is no mapping of
// any.
func TestFileIsForMappingOnly(t *testing.T) {
	for _, tc := range []struct {
		name string
		file bool
	}{
		{"shared", true},
		{"executable", true},
		{"other", true},
		{"truncate", true},
		{"duplicate", true},
		{"write", true},
		{"read", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var f *os.File
			if tc.file {
				f = given(t)
			}
			c := mapped(t, tc.name, f)
			if err := c.Send(kindAsk); err != nil {
				t.Fatal(err)
			}
			_, answer, err := c.Receive(jail.Allowed{kindAnswer: 1 << 10})
			exit := end(c)
			switch {
			case err != nil && exit.BadSystemCall:
			case err == nil && (strings.Contains(string(answer), "bad file descriptor") || strings.Contains(string(answer), "not permitted")):
			default:
				t.Errorf("it ended with %q, %v, %+v, want a refusal", answer, err, exit)
			}
		})
	}
}
