package krm

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// equal says whether two trees hold the same values: scalars by type and value, mappings by key whatever the order,
// sequences in order. Style, comments and the order of keys do not count.
func equal(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || len(a.Content) != len(b.Content) {
		return false
	}
	switch a.Kind {
	case yaml.ScalarNode:
		return equalScalar(a, b)
	case yaml.SequenceNode:
		for i := range a.Content {
			if !equal(a.Content[i], b.Content[i]) {
				return false
			}
		}
		return true
	}
	for i := 0; i+1 < len(a.Content); i += 2 {
		other := valueAt(b, i, a.Content[i].Value)
		if other == nil || !equal(a.Content[i+1], other) {
			return false
		}
	}
	return true
}

// valueAt is field with a guess where the key stands.
func valueAt(n *yaml.Node, guess int, key string) *yaml.Node {
	if guess+1 < len(n.Content) && n.Content[guess].Value == key {
		return n.Content[guess+1]
	}
	return field(n, key)
}

func equalScalar(a, b *yaml.Node) bool {
	ka, kb := kindOf(a), kindOf(b)
	switch {
	case ka != kb:
		return false
	case a.Value == b.Value && a.Tag == b.Tag:
		return true
	case ka == isNull:
		return true
	case ka == isString:
		return a.Value == b.Value
	case ka == isBool:
		return strings.EqualFold(a.Value, b.Value)
	}
	x, okX := numberText(a)
	y, okY := numberText(b)
	return okX && okY && x == y
}

type scalarKind uint8

const (
	isString scalarKind = iota
	isNull
	isBool
	isNumber
)

// kindOf is the JSON type of a scalar that passed the gate. A plain date is text.
func kindOf(n *yaml.Node) scalarKind {
	switch n.Tag {
	case nullTag:
		return isNull
	case "!!bool":
		return isBool
	case "!!int", "!!float":
		return isNumber
	}
	return isString
}

// numberText is the one JSON spelling of a number: integers in decimal, floats as Go writes them shortest, and a
// float without a fraction as an integer where that loses nothing. An integer of any length keeps its digits. ok is false
// where JSON has no spelling for it.
func numberText(n *yaml.Node) (s string, ok bool) {
	if isDecimal(n.Value) {
		return n.Value, true
	}
	if n.Tag == "!!int" {
		if s, ok := integerText(n.Value); ok {
			return s, true
		}
	}
	var f float64
	if n.Decode(&f) != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return "", false
	}
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return strconv.FormatInt(int64(f), 10), true
	}
	return strconv.FormatFloat(f, 'g', -1, 64), true
}

// isDecimal says whether a text is an integer as JSON spells it.
func isDecimal(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if len(digits) == 0 || digits[0] == '0' && len(s) > 1 {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

// integerText is the decimal spelling of an integer as the parser resolves it: decimal, 0x, 0o, 0b, a leading zero
// for octal (YAML 1.1, which Kubernetes reads too), underscores between digits.
func integerText(s string) (string, bool) {
	plain := strings.ReplaceAll(s, "_", "")
	if i, err := strconv.ParseInt(plain, 0, 64); err == nil {
		return strconv.FormatInt(i, 10), true
	}
	if u, err := strconv.ParseUint(plain, 0, 64); err == nil {
		return strconv.FormatUint(u, 10), true
	}
	return "", false
}

// jsonValue is a tree as JSON, keys in the order of the tree.
func jsonValue(n *yaml.Node) json.RawMessage {
	var b bytes.Buffer
	appendJSON(&b, n)
	return b.Bytes()
}

func appendJSON(b *bytes.Buffer, n *yaml.Node) {
	switch n.Kind {
	case yaml.ScalarNode:
		appendScalar(b, n)
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, c := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			appendJSON(b, c)
		}
		b.WriteByte(']')
	default:
		b.WriteByte('{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				b.WriteByte(',')
			}
			appendString(b, n.Content[i].Value)
			b.WriteByte(':')
			appendJSON(b, n.Content[i+1])
		}
		b.WriteByte('}')
	}
}

func appendScalar(b *bytes.Buffer, n *yaml.Node) {
	switch kindOf(n) {
	case isNull:
		b.WriteString("null")
		return
	case isBool:
		b.WriteString(strings.ToLower(n.Value))
		return
	case isNumber:
		if s, ok := numberText(n); ok {
			b.WriteString(s)
			return
		}
	}
	appendString(b, n.Value)
}

func appendString(b *bytes.Buffer, s string) {
	text, err := json.Marshal(s)
	if err != nil {
		text = []byte(`""`) // a string always has a JSON form
	}
	b.Write(text)
}
