package sealed_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/sealed"
)

func TestMain(m *testing.M) {
	if len(os.Args) < 4 {
		os.Exit(m.Run())
	}
	switch os.Args[1] {
	case "fill":
		os.Exit(fillAsTold(os.Args[2], os.Args[3]))
	case "fill-traced":
		os.Exit(fillTraced(os.Args[2], os.Args[3]))
	}
	os.Exit(m.Run())
}

// crowded is a store into which half of what processes fill it with fits.
func crowded(dir string) sealed.Config {
	cfg := config(dir)
	cfg.MaxBytes = 2 << 20
	return cfg
}

// edition is content of which every part says whose it is and which edition: parts of
// two editions never pass for one.
func edition(name string, n uint32) sealed.Content {
	word := binary.LittleEndian.AppendUint32([]byte(name+" "), n)
	return sealed.Content{Head: word, Bulk: [][]byte{bytes.Repeat(word, 200_000/len(word)), word}}
}

// whole loads an entry and checks that it is one edition of it. It says whether there
// is one.
func whole(s *sealed.Store, name string) (bool, error) {
	e, err := s.Load([]byte(name))
	if errors.Is(err, sealed.ErrAbsent) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = e.Close() }()
	if len(e.Head) != len(name)+5 || !strings.HasPrefix(string(e.Head), name+" ") {
		return false, fmt.Errorf("the head of %s is %q", name, e.Head)
	}
	want := edition(name, binary.LittleEndian.Uint32(e.Head[len(name)+1:]))
	at := e.BulkOffset
	for _, b := range want.Bulk {
		got := make([]byte, len(b))
		if _, err := e.File.ReadAt(got, at); err != nil || !bytes.Equal(got, b) {
			return false, fmt.Errorf("the bulk of %s is not its head's (%w)", name, err)
		}
		at += (int64(len(b)) + 0xffff) &^ 0xffff
	}
	if !e.Held() {
		return false, fmt.Errorf("%s is not held", name)
	}
	return true, nil
}

// fillAsTold is a process that, for each line that it is sent, fills the store with
// an entry that all such processes write and with some of its own, and looks at what
// the others wrote. It answers with a line: what went wrong, or how much it found.
func fillAsTold(dir, self string) int {
	s, err := sealed.Open(crowded(dir))
	if err != nil {
		fmt.Println("Open:", err)
		return 1
	}
	in, n := bufio.NewScanner(os.Stdin), uint32(0)
	for in.Scan() {
		found := 0
		for i := range 6 {
			n++
			own := fmt.Sprintf("own %s %d", self, i)
			err = errors.Join(s.Save([]byte("shared"), edition("shared", n)), s.Save([]byte(own), edition(own, n)))
			for _, name := range []string{"shared", own, fmt.Sprintf("own 0 %d", i), fmt.Sprintf("own 1 %d", i)} {
				there, lookErr := whole(s, name)
				if err = errors.Join(err, lookErr); there {
					found++
				}
			}
			if err != nil {
				break
			}
		}
		if err != nil {
			fmt.Printf("%q\n", err.Error())
			return 1
		}
		fmt.Println("found", found)
	}
	return 0
}

// A filler is such a process.
type filler struct {
	name string
	in   io.WriteCloser
	out  *bufio.Scanner
}

func fillers(t *testing.T, dir string, n int) []*filler {
	t.Helper()
	all := make([]*filler, n)
	for i := range all {
		cmd := exec.Command(os.Args[0], "fill", dir, fmt.Sprint(i))
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = in.Close()
			_ = cmd.Wait()
		})
		all[i] = &filler{fmt.Sprint(i), in, bufio.NewScanner(out)}
	}
	return all
}

// turn lets all fillers fill at the same time.
func turn(t *testing.T, all []*filler) {
	t.Helper()
	for _, f := range all {
		if _, err := io.WriteString(f.in, "fill\n"); err != nil {
			t.Fatal(err)
		}
	}
}

// await waits for them, and gives how much they found.
func await(t *testing.T, all []*filler) (found int) {
	t.Helper()
	for _, f := range all {
		n := 0
		if !f.out.Scan() {
			t.Fatalf("process %s ended (%v)", f.name, f.out.Err())
		} else if _, err := fmt.Sscanf(f.out.Text(), "found %d", &n); err != nil {
			t.Fatalf("process %s: %s", f.name, f.out.Text())
		}
		found += n
	}
	return found
}

// settled checks that every entry holds, that there are no more than may be kept, and
// that nothing is left that is not one.
func settled(t *testing.T, dir string, cfg sealed.Config) {
	t.Helper()
	list, err := open(t, cfg).List(true)
	if err != nil || len(list) == 0 {
		t.Errorf("List = %d entries, %v, want some", len(list), err)
	}
	var total int64
	for _, e := range list {
		total += e.Bytes
		if e.Err != nil {
			t.Errorf("an entry does not hold: %v", e.Err)
		}
	}
	if total > cfg.MaxBytes {
		t.Errorf("the folder holds %d bytes, at most %d may be kept", total, cfg.MaxBytes)
	}
	if n := len(list) + 1; countFiles(t, dir) != n { // and the key
		t.Errorf("%d files are there, want %d", countFiles(t, dir), n)
	}
}

func countFiles(t *testing.T, dir string) (n int) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// Processes that fill one folder at once, with the same entry and with others, more
// than it may hold: what each finds is whole, and so is what is left.
func TestProcessesFillOneFolder(t *testing.T) {
	dir := home(t)
	all, found := fillers(t, dir, 4), 0
	for range 10 {
		turn(t, all)
		found += await(t, all)
	}
	if found < 10*4*6 { // each finds at least what it has just written, most of the time
		t.Errorf("the processes found %d entries", found)
	}
	settled(t, dir, crowded(dir))
}
