package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/krmsafe/krmsafe/internal/lazy"
)

// Bounds on a policy's own words.
const (
	maxReasons      = 1000
	maxMessageBytes = 16 * kib
)

var reasonID = lazy.Regexp(`^[a-z][a-z0-9]*([._-][a-z0-9]+)*$`)

// decoder reads a policy's answer strictly and collects what is wrong with it.
type decoder struct {
	problems []Reason
}

func (d *decoder) problem(id, format string, args ...any) {
	d.problems = append(d.problems, Reason{ID: id, Message: fmt.Sprintf(format, args...), Remedy: "correct the policy; docs/policy-input.md shows the shape of its answer"})
}

// object returns value as an object without private keys, and complains about
// keys that are not known.
func (d *decoder) object(where string, value any, known []string) map[string]any {
	object, ok := value.(map[string]any)
	if !ok {
		d.problem(ReasonShape, "%s is %s, want an object", where, kindOf(value))
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains(known, key) && !strings.HasPrefix(key, "_") {
			d.problem(ReasonUnknownKey, "%s has the unknown key %q; known are %s", where, key, strings.Join(known, ", "))
		}
	}
	return object
}

func (d *decoder) allow(answer map[string]any) bool {
	value, present := answer["allow"]
	if !present {
		d.problem(ReasonUndefined, "the policy leaves allow undefined")
		return false
	}
	allow, ok := value.(bool)
	if !ok {
		d.problem(ReasonShape, "allow is %s, want a boolean", kindOf(value))
	}
	return ok && allow
}

// reasons reads a list of reasons, and counts those beyond what anybody reads.
// A reason that is not well formed becomes a problem, so it refuses as surely
// as the one the author meant.
func (d *decoder) reasons(answer map[string]any, where string) []Reason {
	value, present := answer[where]
	if !present {
		return []Reason{}
	}
	list, ok := value.([]any)
	if !ok {
		d.problem(ReasonShape, "%s is %s, want a set of objects", where, kindOf(value))
		return []Reason{}
	}
	more := len(list) - maxReasons
	if more > 0 {
		list = list[:maxReasons]
	}
	out := []Reason{}
	for _, item := range list {
		if r, ok := d.reason(where, item); ok {
			out = append(out, r)
		}
	}
	if more > 0 {
		out = append(out, Reason{ID: ReasonMore, Message: fmt.Sprintf("and %d more", more)})
	}
	return out
}

func (d *decoder) reason(where string, value any) (Reason, bool) {
	before := len(d.problems)
	object := d.object("an entry of "+where, value, []string{"id", "message", "remedy"})
	if object == nil {
		return Reason{}, false
	}
	r := Reason{ID: d.text(where+".id", object["id"], true), Message: d.text(where+".message", object["message"], true)}
	if remedy, present := object["remedy"]; present {
		r.Remedy = d.text(where+".remedy", remedy, false)
	}
	if r.ID != "" && !reasonID().MatchString(r.ID) {
		d.problem(ReasonRange, "%s.id %q is not dotted lower-case words", where, r.ID)
	}
	return r, len(d.problems) == before
}

func (d *decoder) text(where string, value any, required bool) string {
	s, ok := value.(string)
	switch {
	case !ok:
		d.problem(ReasonShape, "%s is %s, want a string", where, kindOf(value))
	case required && s == "":
		d.problem(ReasonRange, "%s is empty", where)
	case len(s) > maxMessageBytes:
		d.problem(ReasonRange, "%s has %d bytes, at most %d are possible", where, len(s), maxMessageBytes)
		return ""
	}
	return s
}

// limits reads the limits object. What it leaves out takes its default; what
// is above the ceiling is a problem, never lowered in silence.
func (d *decoder) limits(answer map[string]any) Limits {
	def, ceiling := DefaultLimits(), MaxLimits()
	value, present := answer["limits"]
	if !present {
		return def
	}
	known := []string{"memoryPages", "tableElements", "callDepth", "fuel", "timeout", "compileTimeout", "compileBytes", "outputBytes", "stderrBytes"}
	object := d.object("limits", value, known)
	out := Limits{
		MemoryPages:   whole(d, object, "memoryPages", def.MemoryPages, ceiling.MemoryPages),
		TableElements: whole(d, object, "tableElements", def.TableElements, ceiling.TableElements),
		CallDepth:     whole(d, object, "callDepth", def.CallDepth, ceiling.CallDepth),
		Fuel:          whole(d, object, "fuel", def.Fuel, ceiling.Fuel),
		Timeout:       d.duration(object, "timeout", def.Timeout, ceiling.Timeout),
		CompileBytes:  whole(d, object, "compileBytes", def.CompileBytes, ceiling.CompileBytes),
		OutputBytes:   whole(d, object, "outputBytes", def.OutputBytes, ceiling.OutputBytes),
		StderrBytes:   whole(d, object, "stderrBytes", def.StderrBytes, ceiling.StderrBytes),
	}
	out.CompileTimeout = d.duration(object, "compileTimeout", min(def.CompileTimeout, out.Timeout), ceiling.CompileTimeout)
	if out.CompileTimeout > out.Timeout {
		d.problem(ReasonRange, "limits.compileTimeout %s is longer than limits.timeout %s, of which it is a part", out.CompileTimeout, out.Timeout)
	}
	return out
}

// whole reads a whole number from 1 to ceiling.
func whole[T uint32 | uint64 | int64](d *decoder, object map[string]any, key string, def, ceiling T) T {
	value, present := object[key]
	if !present {
		return def
	}
	number, ok := value.(json.Number)
	if !ok {
		d.problem(ReasonShape, "limits.%s is %s, want a number", key, kindOf(value))
		return 0
	}
	n, err := strconv.ParseUint(number.String(), 10, 63)
	if err != nil || n < 1 || n > uint64(ceiling) {
		d.problem(ReasonRange, "limits.%s is %s, want a whole number from 1 to %d", key, number, ceiling)
		return 0
	}
	return T(n)
}

func (d *decoder) duration(object map[string]any, key string, def, ceiling time.Duration) time.Duration {
	value, present := object[key]
	if !present {
		return def
	}
	s, ok := value.(string)
	if !ok {
		d.problem(ReasonShape, "limits.%s is %s, want a duration such as \"30s\"", key, kindOf(value))
		return 0
	}
	t, err := time.ParseDuration(s)
	if err != nil || t < time.Millisecond || t > ceiling {
		d.problem(ReasonRange, "limits.%s is %q, want a duration from 1ms to %s", key, s, ceiling)
		return 0
	}
	return t
}

func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "null or missing"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case json.Number, float64, int:
		return "a number"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("a %T", value)
}
