package main_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	main "github.com/krmsafe/krmsafe/cmd/krmsafe"
)

// TestFolderIsWrittenWholeOrNotAtAll: what fails after the first file got its name
// gives that name back to what had it.
func TestFolderIsWrittenWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	was := map[string]string{"a": "old"}
	err := main.WriteFolder(dir, map[string][]byte{"a": []byte("new"), "b": []byte("new"), "c/d": []byte("no such folder")})
	if err == nil {
		t.Fatal("a file in a folder that is not there was written")
	}
	if diff := cmp.Diff(was, contents(t, dir)); diff != "" {
		t.Errorf("the folder changed (-was +is):\n%s", diff)
	}
	if err := main.WriteFolder(dir, map[string][]byte{"a": []byte("new"), "b": []byte("new")}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a": "new", "b": "new"}, contents(t, dir)); diff != "" {
		t.Errorf("the folder (-want +is):\n%s", diff)
	}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(data)
	}
	return out
}
