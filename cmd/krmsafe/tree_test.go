package main_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// snapshot NAME… remembers all there is under files and folders: names, modes,
// content, where links lead. unchanged NAME… wants it all to be as it was.
func snapshot(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: snapshot NAME…")
	}
	for _, name := range args {
		ts.Check(os.WriteFile(ts.MkAbs(snapshotName(name)), []byte(treeOf(ts, ts.MkAbs(name))), 0o600))
	}
}

func unchanged(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: unchanged NAME…")
	}
	for _, name := range args {
		was, is := ts.ReadFile(snapshotName(name)), treeOf(ts, ts.MkAbs(name))
		if (was == is) == neg {
			ts.Fatalf("%s was\n%sand is\n%s", name, was, is)
		}
	}
}

func snapshotName(name string) string { return ".snapshot-" + strings.ReplaceAll(name, "/", "_") }

func treeOf(ts *testscript.TestScript, dir string) string {
	var b strings.Builder
	ts.Check(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		content := ""
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			content, err = os.Readlink(path)
		case d.Type().IsRegular():
			var data []byte
			data, err = os.ReadFile(path)
			content = fmt.Sprintf("%x", sha256.Sum256(data))
		}
		fmt.Fprintf(&b, "%s %s %s\n", info.Mode(), rel, content)
		return err
	}))
	return b.String()
}

// swap FILE FROM TO writes a text in place of another one in a file.
func swap(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: swap FILE FROM TO")
	}
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(text, args[1], args[2])), 0o600))
}
