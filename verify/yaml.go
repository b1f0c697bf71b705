package verify

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/krmsafe/krmsafe/internal/lazy"
)

// Bounds on a YAML file, which is written by hand.
const (
	maxYAMLBytes = 1 << 20
	maxYAMLDepth = 32
)

// A yamlFile decodes YAML strictly into structs: a field that is not known,
// given twice or of the wrong type is an error with its line. An unknown field
// that is passed over is a restriction its author believes in and nobody
// enforces (kyverno CVE-2025-29778).
type yamlFile struct {
	name    string
	foreign bool           // another tool's file: null is how it says "not given"
	lines   map[string]int // by field, as in PolicyError.Field
}

// unread is the type of fields that say nothing about trust.
type unread struct{}

// read decodes the one document of data into v, a pointer to a struct whose
// fields have yaml tags.
func (y *yamlFile) read(data []byte, v any) error {
	node, err := y.document(data)
	if err != nil {
		return err
	}
	return y.decode(node, "", 0, reflect.ValueOf(v).Elem())
}

func (y *yamlFile) document(data []byte) (*yaml.Node, error) {
	y.lines = map[string]int{}
	if len(data) > maxYAMLBytes {
		return nil, y.fail("", 0, "trust.limit", "the file is %d bytes; at most %d are read", len(data), maxYAMLBytes)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, y.fail("", 0, "trust.yaml", "the file is empty")
		}
		return nil, y.syntax(err)
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		if err != nil {
			return nil, y.syntax(err)
		}
		return nil, y.fail("", more.Line, "trust.yaml", "the file holds a second document; only one is read")
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, y.fail("", doc.Line, "trust.yaml", "the file holds no YAML document")
	}
	return doc.Content[0], nil
}

var yamlLine = lazy.Regexp(`^yaml: line (\d+): `)

func (y *yamlFile) syntax(err error) error {
	text, line := err.Error(), 0
	if m := yamlLine().FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	return y.fail("", line, "trust.yaml", "it is not YAML: %s", oneLine(strings.TrimPrefix(text, "yaml: ")))
}

func (y *yamlFile) fail(field string, line int, code, format string, args ...any) error {
	return &PolicyError{Code: code, Field: field, File: y.name, Line: line, Message: fmt.Sprintf(format, args...)}
}

// place gives an error of compilePolicy the line of its field, or of the
// nearest one around it.
func (y *yamlFile) place(err error) error {
	var p *PolicyError
	if !errors.As(err, &p) {
		return err
	}
	out := *p
	out.File = y.name
	for field := p.Field; field != ""; field = field[:max(strings.LastIndexAny(field, ".["), 0)] {
		if line, ok := y.lines[field]; ok {
			out.Line = line
			break
		}
	}
	return &out
}

func (y *yamlFile) decode(n *yaml.Node, field string, depth int, v reflect.Value) error {
	y.lines[field] = n.Line
	if v.Type() == reflect.TypeFor[unread]() {
		return nil
	}
	if y.foreign && n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return nil
	}
	switch {
	case depth > maxYAMLDepth:
		return y.fail(field, n.Line, "trust.limit", "it is nested deeper than %d", maxYAMLDepth)
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return y.fail(field, n.Line, "trust.yaml", "anchors and aliases are not read: write the value out")
	case n.Style&yaml.TaggedStyle != 0:
		return y.fail(field, n.Line, "trust.yaml", "the tag %s is not read", oneLine(n.Tag))
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		return y.fail(field, n.Line, "trust.yaml", "%s has no value: leave it out or give it one", field)
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return y.decode(n, field, depth, v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return y.scalar(n, field, v)
		}
		return y.mapping(n, field, func(k, value *yaml.Node, at string) error {
			f, ok := fieldOf(v, k.Value)
			if !ok {
				err := &PolicyError{Code: "trust.field", Field: at, File: y.name, Line: k.Line, Message: fmt.Sprintf("there is no field %q here", oneLine(k.Value))}
				err.Hint = "want one of " + strings.Join(fieldNames(v.Type()), ", ")
				return err
			}
			return y.decode(value, at, depth+1, f)
		})
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		return y.mapping(n, field, func(k, value *yaml.Node, at string) error {
			elem := reflect.New(v.Type().Elem()).Elem()
			if err := y.decode(value, at, depth+1, elem); err != nil {
				return err
			}
			v.SetMapIndex(reflect.ValueOf(k.Value), elem)
			return nil
		})
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			return y.fail(field, n.Line, "trust.type", "%s is not a list", field)
		}
		for i, item := range n.Content {
			elem := reflect.New(v.Type().Elem()).Elem()
			if err := y.decode(item, fmt.Sprintf("%s[%d]", field, i), depth+1, elem); err != nil {
				return err
			}
			v.Set(reflect.Append(v, elem))
		}
		return nil
	}
	return y.scalar(n, field, v)
}

func (y *yamlFile) mapping(n *yaml.Node, field string, each func(k, v *yaml.Node, at string) error) error {
	what := field
	if what == "" {
		what = "the file"
	}
	if n.Kind != yaml.MappingNode {
		return y.fail(field, n.Line, "trust.type", "%s is not a mapping", what)
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode || k.ShortTag() != "!!str" || k.Anchor != "" {
			return y.fail(field, k.Line, "trust.type", "a field name in %s is not text", what)
		}
		at := k.Value
		if field != "" {
			at = field + "." + k.Value
		}
		if first, twice := seen[k.Value]; twice {
			return y.fail(at, k.Line, "trust.duplicate", "%q is given twice, first on line %d", oneLine(k.Value), first)
		}
		seen[k.Value] = k.Line
		if err := each(k, n.Content[i+1], at); err != nil {
			return err
		}
	}
	return nil
}

func (y *yamlFile) scalar(n *yaml.Node, field string, v reflect.Value) error {
	wrong := func(want string) error {
		return y.fail(field, n.Line, "trust.type", "%s is not %s", field, want)
	}
	if n.Kind != yaml.ScalarNode {
		return wrong("a single value")
	}
	tag := n.ShortTag()
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		t, err := time.Parse(time.RFC3339, n.Value)
		if err != nil {
			return wrong("a time such as 2027-01-01T00:00:00Z")
		}
		v.Set(reflect.ValueOf(t))
	case v.Kind() == reflect.String:
		if tag != "!!str" {
			return wrong(fmt.Sprintf("text; quote it: %q", oneLine(n.Value)))
		}
		v.SetString(n.Value)
	case v.Kind() == reflect.Bool:
		if n.Value != "true" && n.Value != "false" || tag != "!!bool" {
			return wrong("true or false")
		}
		v.SetBool(n.Value == "true")
	case v.Kind() == reflect.Int:
		i, err := strconv.Atoi(n.Value)
		if err != nil || tag != "!!int" {
			return wrong("a whole number")
		}
		v.SetInt(int64(i))
	}
	return nil
}

func fieldOf(v reflect.Value, name string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if yamlName(v.Type().Field(i)) == name {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func fieldNames(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		out = append(out, yamlName(t.Field(i)))
	}
	slices.Sort(out)
	return out
}

func yamlName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return name
}
