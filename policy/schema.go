package policy

import (
	"encoding/json"
	"reflect"
	"strings"
)

// FactsSchema returns the JSON schema of Facts. Policies are compiled against
// it, so that a misspelt field of input is an error with a position and not a
// rule that is quietly undefined.
func FactsSchema() map[string]any { return described.of(reflect.TypeFor[Facts](), "") }

// ChangesSchema returns the JSON schema of Changes.
func ChangesSchema() map[string]any { return described.of(reflect.TypeFor[Changes](), "") }

var rawMessage = reflect.TypeFor[json.RawMessage]()

// describing is whether a schema holds the descriptions, for people, or not, for
// the compiler, which reads them all and has no use for them.
type describing bool

const (
	described describing = true
	bare      describing = false
)

// of derives a schema from a type of this package: every field is required,
// nothing else is allowed.
func (words describing) of(t reflect.Type, description string) map[string]any {
	schema := map[string]any{}
	if words && description != "" {
		schema["description"] = description
	}
	switch {
	case t == rawMessage: // any JSON value
		return schema
	case t.Kind() == reflect.Struct:
		properties, required := map[string]any{}, []any{}
		for i := range t.NumField() {
			field := t.Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			sub := words.of(field.Type, field.Tag.Get("doc"))
			if enum := field.Tag.Get("enum"); enum != "" {
				values := []any{}
				for v := range strings.SplitSeq(enum, ",") {
					values = append(values, v)
				}
				sub["enum"] = values
			}
			properties[name] = sub
			required = append(required, name)
		}
		schema["type"] = "object"
		schema["properties"] = properties
		schema["required"] = required
		schema["additionalProperties"] = false
	case t.Kind() == reflect.Slice:
		schema["type"] = "array"
		schema["items"] = words.of(t.Elem(), "")
	case t.Kind() == reflect.Map:
		schema["type"] = "object"
		schema["additionalProperties"] = words.of(t.Elem(), "")
	case t.Kind() == reflect.Bool:
		schema["type"] = "boolean"
	case t.Kind() == reflect.String:
		schema["type"] = "string"
	default:
		schema["type"] = "integer"
	}
	return schema
}
