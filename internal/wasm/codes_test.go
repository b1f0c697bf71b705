package wasm_test

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// badModule is a module that must be refused with a code.
type badModule struct {
	name, code string
	module     []byte
	// says is a part of the message or hint that a person needs.
	says string
	// limits changes the limits, for bounds that a small module cannot reach.
	limits func(*wasm.Limits)
}

// sec is a section with the payload given.
func sec(id wasm.SectionID, payload ...byte) []byte { return wasm.AppendSection(nil, id, payload) }

// mod is a module of the sections given.
func mod(sections ...[]byte) []byte {
	b := wasm.AppendHeader(nil)
	for _, s := range sections {
		b = append(b, s...)
	}
	return b
}

// body is a module with one function () -> () and one page of memory.
func body(locals asm.Types, code ...[]byte) []byte {
	var m asm.Module
	m.Memory(1, -1)
	m.Func(nil, nil, locals, code...)
	return m.Bytes()
}

// raw is body with the bytes of the function as they are.
func raw(b ...byte) []byte {
	var m asm.Module
	m.Memory(1, -1)
	m.RawFunc(m.Type(nil, nil), b)
	return m.Bytes()
}

func build(f func(m *asm.Module)) []byte {
	var m asm.Module
	f(&m)
	return m.Bytes()
}

func allBad() []badModule {
	var all []badModule
	for _, group := range [][]badModule{badHeaders(), badGrammar(), badRules(), badFeatures(), badLimits(), badCounts()} {
		all = append(all, group...)
	}
	return all
}

// TestReasonCodes decodes a module for every reason to refuse one.
func TestReasonCodes(t *testing.T) {
	for _, bad := range allBad() {
		t.Run(bad.name, func(t *testing.T) {
			limits := wasm.DefaultLimits()
			if bad.limits != nil {
				bad.limits(&limits)
			}
			m, err := wasm.Decode(bad.module, limits)
			var e *wasm.Error
			if !errors.As(err, &e) || m != nil {
				t.Fatalf("Decode = %v, %v, want an error with code %s", m, err, bad.code)
			}
			if e.Code != bad.code {
				t.Errorf("code %s (%v), want %s", e.Code, e, bad.code)
			}
			if !strings.Contains(e.Error()+" "+e.Hint, bad.says) {
				t.Errorf("%q with hint %q does not say %q", e, e.Hint, bad.says)
			}
			if e.Section == "" || e.Offset < 0 || e.Offset > int64(len(bad.module)) {
				t.Errorf("place %q %d of a module of %d bytes", e.Section, e.Offset, len(bad.module))
			}
			if strings.HasPrefix(e.Code, "module.feature.") || strings.HasPrefix(e.Code, "module.limit.") {
				if e.Hint == "" {
					t.Errorf("%s comes without a hint", e.Code)
				}
			}
		})
	}
}

// TestReasonCodesDocumented holds the table in the package doc against the
// cases: no code without a line, no line without a case.
func TestReasonCodesDocumented(t *testing.T) {
	doc, err := os.ReadFile("wasm.go")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^//\t(module\.[a-z0-9_.]+) `).FindAllSubmatch(doc, -1) {
		documented[string(m[1])] = true
	}
	produced := map[string]bool{}
	for _, bad := range allBad() {
		produced[bad.code] = true
		if !documented[bad.code] {
			t.Errorf("%s has no line in the package doc", bad.code)
		}
	}
	for code := range documented {
		if !produced[code] {
			t.Errorf("%s is documented and no case produces it", code)
		}
	}
	source, err := os.ReadFile("errors.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`= "(module\.[a-z0-9_.]+)"`).FindAllSubmatch(source, -1) {
		if !documented[string(m[1])] {
			t.Errorf("%s is a constant without a line in the package doc", m[1])
		}
	}
}
