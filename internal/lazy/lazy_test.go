package lazy_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/lazy"
)

func TestRegexpIsCompiledOnce(t *testing.T) {
	word := lazy.Regexp(`^[a-z]+$`)
	first := word()
	if !first.MatchString("abc") || first.MatchString("a1") || first != word() {
		t.Error("the expression is not the one that was given, or is compiled again")
	}
}

// TestRegexpPanicsWhenAsked gives what is no expression: it is told when it is asked for, each time.
func TestRegexpPanicsWhenAsked(t *testing.T) {
	bad := lazy.Regexp(`(`)
	for range 2 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			bad()
		}()
	}
}

// TestEveryExpressionIsOne compiles all that this program puts off.
func TestEveryExpressionIsOne(t *testing.T) {
	asked := regexp.MustCompile("lazy\\.Regexp\\((`[^`]*`)?")
	found := 0
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range asked.FindAllSubmatch(text, -1) {
			found++
			if _, err := regexp.Compile(strings.Trim(string(m[1]), "`")); err != nil || len(m[1]) == 0 {
				t.Errorf("%s: %s: %v; want one expression between backquotes", path, m[0], err)
			}
		}
		return nil
	})
	if err != nil || found < 20 {
		t.Errorf("found %d expressions, %v", found, err)
	}
}
