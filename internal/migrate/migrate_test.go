package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/migrate"
)

var update = flag.Bool("update", false, "rewrite golden files")

var digest = "@sha256:" + strings.Repeat("5", 64)

// known stands for a map: images of example.com have a module at wasm.example.com, the
// program ./fn.sh one in a file, and nothing else has one.
func known(root string) migrate.Resolve {
	return func(_ context.Context, f *migrate.Function) (migrate.Variant, *migrate.Reason, error) {
		name, ours := strings.CutPrefix(f.Reference, "example.com/")
		name, _, _ = strings.Cut(name, ":")
		switch {
		case f.Reference == "./fn.sh" || name == "in-file":
			return migrate.Variant{File: filepath.Join(root, "modules", "fn.wasm"), Source: "map"}, nil, nil
		case strings.HasPrefix(f.Reference, "wasm.example.com/"):
			return migrate.Variant{Image: f.Reference, Source: "map"}, nil, nil
		case f.Reference == "failing":
			return migrate.Variant{}, nil, errors.New("the registry failed")
		case ours:
			return migrate.Variant{Image: "wasm.example.com/" + name + digest, Source: "map"}, nil, nil
		}
		return migrate.Variant{}, &migrate.Reason{Code: "migrate.no_variant", Message: "none is known"}, nil
	}
}

func plant(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// snapshot reads every file under a folder.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		files[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// moved migrates a folder and tells what became of each function.
func moved(t *testing.T, dir string, form migrate.Form) string {
	t.Helper()
	tree, err := migrate.Open(dir, krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tree.Close() }()
	changes, err := tree.Move(context.Background(), form, known(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Write(changes); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, f := range tree.Functions {
		fmt.Fprintf(&b, "%s:%d %s %s %s", f.Path, f.Line, f.Place, f.Runtime, f.State)
		if f.Reason != nil {
			fmt.Fprintf(&b, " %s: %s", f.Reason.Code, f.Reason.Message)
		}
		b.WriteByte('\n')
	}
	for _, s := range tree.Skipped {
		fmt.Fprintf(&b, "%s skipped: %s\n", s.Path, s.Reason)
	}
	return b.String()
}

// TestGolden migrates trees to every form and compares the files that changed, and what
// is told. A second migration changes nothing.
func TestGolden(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no trees: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			before := map[string]string{}
			got := &txtar.Archive{Comment: archive.Comment}
			for _, f := range archive.Files {
				if p, ok := strings.CutPrefix(f.Name, "before/"); ok {
					before[p] = string(f.Data)
					got.Files = append(got.Files, f)
				}
			}
			for _, form := range migrate.Forms() {
				dir := plant(t, before)
				told := moved(t, dir, form)
				after := snapshot(t, dir)
				if again := moved(t, dir, form); strings.Contains(again, " "+string(migrate.StateMoves)) {
					t.Errorf("%s: migrated again, it moves once more:\n%s", form, again)
				}
				if diff := cmp.Diff(after, snapshot(t, dir)); diff != "" {
					t.Errorf("%s: migrated again (-once +twice):\n%s", form, diff)
				}
				got.Files = append(got.Files, txtar.File{Name: string(form), Data: []byte(told)})
				var changed []string
				for p, text := range after {
					if before[p] != text {
						changed = append(changed, p)
					}
				}
				slices.Sort(changed)
				for _, p := range changed {
					got.Files = append(got.Files, txtar.File{Name: string(form) + "/" + p, Data: []byte(after[p])})
				}
			}
			if *update {
				if err := os.WriteFile(name, txtar.Format(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(archive)), string(txtar.Format(got))); diff != "" {
				t.Errorf("migrated (-want +got):\n%s", diff)
			}
		})
	}
}
