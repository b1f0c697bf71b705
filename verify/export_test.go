package verify

import (
	"maps"
	"reflect"
	"slices"
	"time"
)

// PanicWhileJudging judges a piece of evidence in a way that must panic, and
// returns what came of it.
func PanicWhileJudging(e Evidence) (signatures int, rejected []Candidate) {
	// The rule is missing, as nothing but a bug can make it.
	j := judgement{digests: []digest{digestOf([]byte("the artifact"))}}
	j.consider(&e)
	return len(j.signatures), j.rejected
}

// ScanJSON reports whether a statement would be read as JSON at all.
func ScanJSON(data []byte) error {
	_, err := scanJSON(data, statementScan)
	return err
}

// MatchPattern reports whether a pattern of a rule is one, and whether it
// matches.
func MatchPattern(pattern, name string) (matches bool, err error) {
	p, err := parsePattern(pattern)
	return err == nil && p.matches(name), err
}

// TrustPolicyFields returns the names of all fields of the YAML form.
func TrustPolicyFields() []string {
	seen := map[string]bool{}
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		switch {
		case t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice:
			walk(t.Elem())
		case t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]():
			for i := range t.NumField() {
				seen[yamlName(t.Field(i))] = true
				walk(t.Field(i).Type)
			}
		}
	}
	walk(reflect.TypeFor[trustFile]())
	return slices.Sorted(maps.Keys(seen))
}
