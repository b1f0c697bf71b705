package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/plain"
)

// Changed sums changes up in one line: "3 resources changed (12 fields), 1 added".
func Changed(s pipeline.Summary) string {
	var parts []string
	if s.Changed > 0 {
		parts = append(parts, fmt.Sprintf("%s changed (%s)", count(s.Changed, "resource"), count(s.Fields, "field")))
	}
	if s.Added > 0 {
		parts = append(parts, fmt.Sprintf("%s added (%s)", count(s.Added, "resource"), kinds(s.KindsAdded)))
	}
	if s.Removed > 0 {
		parts = append(parts, fmt.Sprintf("%s removed (%s)", count(s.Removed, "resource"), kinds(s.KindsRemoved)))
	}
	if s.Reordered {
		parts = append(parts, "resources reordered")
	}
	if len(parts) == 0 {
		return "nothing changed"
	}
	return strings.Join(parts, ", ")
}

// kinds names a few kinds, which are foreign text.
func kinds(list []string) string {
	const most = 5
	more := ""
	if len(list) > most {
		list, more = list[:most], ", …"
	}
	return plain.Line(strings.Join(list, ", ")) + more
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// change prints one change: "~ Deployment shop/web spec.replicas: 1 → 2".
func (p *printer) change(c pipeline.Change) {
	name := resource(c.Resource.Kind, c.Resource.Namespace, c.Resource.Name)
	sign := map[string]string{"add": "+", "remove": "-"}[c.Op]
	if sign == "" {
		sign = "~"
	}
	if len(c.Path) == 0 {
		p.line("%s %s", sign, plain.Line(name))
		return
	}
	values := ""
	switch c.Op {
	case "add":
		values = value(c.After)
	case "remove":
		values = value(c.Before)
	default:
		values = value(c.Before) + " → " + value(c.After)
	}
	p.line("%s %s", sign, plain.Line(name+" "+fieldPath(c.Path)+": "+values))
}

// fieldPath joins the segments as people write them: spec.containers[name=web].image.
func fieldPath(path []string) string {
	var b strings.Builder
	for i, segment := range path {
		if i > 0 && !strings.HasPrefix(segment, "[") {
			b.WriteByte('.')
		}
		if strings.ContainsAny(segment, ". ") && !strings.HasPrefix(segment, "[") {
			segment = fmt.Sprintf("%q", segment)
		}
		b.WriteString(segment)
	}
	return b.String()
}

// value is a value as compact JSON, cut where it is long.
func value(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "null"
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil || enc.Encode(v) != nil {
		return "?"
	}
	const most = 100
	text := []rune(strings.TrimSpace(b.String()))
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}
