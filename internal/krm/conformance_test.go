package krm_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/krmsafe/krmsafe/internal/krm"
)

var update = flag.Bool("update", false, "rewrite golden files")

// TestConformance runs the suite of testdata/conformance: each archive says, for one duty of whoever runs KRM
// functions, what krmsafe is given (in.yaml), what a function answers (answer.yaml; the input it was shown where that
// is missing), and what comes of it: what the function was shown, what leaves and which results were reported, or the
// error's code and text.
func TestConformance(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/conformance/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < 30 {
		t.Fatalf("the suite has %d archives", len(names))
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			ar, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{}
			for _, f := range ar.Files {
				files[f.Name] = unescape.Replace(string(f.Data))
			}
			got := conform(files)
			if *update {
				kept := ar.Files[:0]
				for _, f := range ar.Files {
					if !strings.HasPrefix(f.Name, "want/") {
						kept = append(kept, f)
					}
				}
				ar.Files = slices.Concat(kept, got)
				if err := os.WriteFile(name, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want := map[string]string{}
			for n, data := range files {
				if strings.HasPrefix(n, "want/") {
					want[n] = data
				}
			}
			have := map[string]string{}
			for _, f := range got {
				have[f.Name] = unescape.Replace(string(f.Data))
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("%s(-want +got):\n%s", ar.Comment, diff)
			}
		})
	}
}

// unescape lets archives hold what their format, or an editor, would not keep.
var unescape = strings.NewReplacer("␀", "\x00", "␍", "\r", "␣", " ", "�", "\xff", "␂", "\xef\xbb\xbf")

func conform(files map[string]string) []txtar.File {
	var got []txtar.File
	add := func(name, data string) {
		data = strings.NewReplacer("\x00", "␀", "\r", "␍").Replace(data)
		lines := strings.SplitAfter(data, "\n")
		for i, l := range lines {
			if body := strings.TrimRight(l, "\n"); strings.HasSuffix(body, " ") {
				lines[i] = body[:len(body)-1] + "␣" + l[len(body):]
			}
		}
		got = append(got, txtar.File{Name: "want/" + name, Data: []byte(strings.Join(lines, ""))})
	}
	fail := func(err error) []txtar.File {
		code, hint := "none", ""
		if e, ok := errors.AsType[*krm.SyntaxError](err); ok {
			code, hint = e.Code, e.Hint
		}
		if e, ok := errors.AsType[*krm.OutputError](err); ok {
			code, hint = e.Code, e.Hint
		}
		add("error", fmt.Sprintf("%s\n%v\n%s\n", code, err, hint))
		return got
	}
	list, err := krm.ReadStream([]byte(files["in.yaml"]), krm.DefaultLimits())
	if err != nil {
		return fail(err)
	}
	x, err := krm.NewExchange(list, krm.View{}, random())
	if err != nil {
		return fail(err)
	}
	answer, given := files["answer.yaml"]
	if !given {
		answer = string(x.Input())
		add("shown.yaml", answer)
	}
	if results, err := x.Results([]byte(answer), krm.DefaultLimits()); err == nil && len(results) > 0 {
		text := ""
		for _, r := range results {
			text += fmt.Sprintf("%s: %s\n", r.Severity, r.Message)
		}
		add("results", text)
	}
	out, err := x.Output([]byte(answer), krm.DefaultLimits())
	if err != nil {
		return fail(err)
	}
	for _, c := range out.Changes {
		add("change", fmt.Sprintf("%s %s %s: %s to %s\n", c.Op, c.Resource.String(), c.Pointer, c.Before, c.After))
	}
	emit := out.List.Encode
	if list.Plain {
		emit = out.List.Manifests
	}
	text, err := emit()
	if err != nil {
		return fail(err)
	}
	add("out.yaml", string(text))
	return got
}
