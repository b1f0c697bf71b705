package policy

import (
	"maps"
	"slices"
	"strings"
)

// maxGrants bounds each list of a decision.
const maxGrants = 1000

func (d *decoder) grants(answer map[string]any) Grants {
	value, present := answer["grants"]
	if !present {
		return Grants{}
	}
	object := d.object("grants", value, []string{"clock", "random", "stdioPaths"})
	return Grants{
		Clock: d.granted("grants.clock", object, "clock", GrantClockReal), Random: d.granted("grants.random", object, "random", GrantRandomHost),
		StdioPaths: d.flag("grants.stdioPaths", object, "stdioPaths"),
	}
}

func (d *decoder) view(answer map[string]any) View {
	var object map[string]any
	if value, present := answer["view"]; present {
		object = d.object("view", value, []string{"secrets", "match", "exclude"})
	}
	return View{
		Secrets: d.word("view.secrets", object, "secrets", SecretsPlaceholders, SecretsValues, SecretsHidden),
		Match:   d.selectors("view.match", object, "match"),
		Exclude: d.selectors("view.exclude", object, "exclude"),
	}
}

func (d *decoder) selectors(where string, object map[string]any, key string) []Selector {
	out := []Selector{}
	for _, item := range d.list(where, object, key) {
		s := d.object("an entry of "+where, item, []string{"apiVersion", "kind", "namespace", "name", "labels", "annotations"})
		if s == nil {
			continue
		}
		selector := Selector{
			APIVersion: d.optional(where, s, "apiVersion"), Kind: d.optional(where, s, "kind"),
			Namespace: d.optional(where, s, "namespace"), Name: d.optional(where, s, "name"),
			Labels: d.pairs(where+".labels", s, "labels"), Annotations: d.pairs(where+".annotations", s, "annotations"),
		}
		if !selects(s) {
			d.problem(ReasonRange, "an entry of %s selects by nothing", where)
		}
		out = append(out, selector)
	}
	return out
}

// selects reports whether a selector says anything.
func selects(selector map[string]any) bool {
	for _, value := range selector {
		pairs, isPairs := value.(map[string]any)
		if value != "" && (!isPairs || len(pairs) > 0) {
			return true
		}
	}
	return false
}

func (d *decoder) changes(answer map[string]any) ChangeGrant {
	value, present := answer["changes"]
	if !present {
		return ChangeGrant{Only: []string{AllowanceAny}}.normalize()
	}
	object := d.object("changes", value, []string{"only", "add", "remove", "protected", "fields"})
	grant := ChangeGrant{
		Add: d.kinds("changes.add", object, "add"), Remove: d.kinds("changes.remove", object, "remove"),
		Protected: d.kinds("changes.protected", object, "protected"),
	}
	if _, said := object["only"]; !said && object != nil {
		d.problem(ReasonShape, "changes leaves out only; say [\"any\"] for no such bound")
	}
	for _, item := range d.list("changes.only", object, "only") {
		grant.Only = append(grant.Only, d.text("an entry of changes.only", item, true))
	}
	for _, item := range d.list("changes.fields", object, "fields") {
		f := d.object("an entry of changes.fields", item, []string{"group", "kind", "pointer"})
		if f == nil {
			continue
		}
		field := FieldGrant{
			Group: d.optional("changes.fields", f, "group"), Kind: d.text("changes.fields.kind", f["kind"], true),
			Pointer: d.text("changes.fields.pointer", f["pointer"], true),
		}
		if field.Pointer != "" && !strings.HasPrefix(field.Pointer, "/") {
			d.problem(ReasonRange, "changes.fields.pointer %q does not start with a slash", field.Pointer)
		}
		grant.Fields = append(grant.Fields, field)
	}
	return grant.normalize()
}

func (d *decoder) kinds(where string, object map[string]any, key string) []KindGrant {
	var out []KindGrant
	for _, item := range d.list(where, object, key) {
		k := d.object("an entry of "+where, item, []string{"group", "kind"})
		if k == nil {
			continue
		}
		if _, said := k["group"]; !said {
			d.problem(ReasonShape, "an entry of %s leaves out group; the core group is \"\"", where)
		}
		out = append(out, KindGrant{Group: d.optional(where, k, "group"), Kind: d.text(where+".kind", k["kind"], true)})
	}
	return out
}

func (d *decoder) list(where string, object map[string]any, key string) []any {
	value, present := object[key]
	if !present {
		return nil
	}
	list, ok := value.([]any)
	if !ok {
		d.problem(ReasonShape, "%s is %s, want a list", where, kindOf(value))
		return nil
	}
	if len(list) > maxGrants {
		d.problem(ReasonRange, "%s has %d entries, at most %d are possible", where, len(list), maxGrants)
		return nil
	}
	return list
}

func (d *decoder) flag(where string, object map[string]any, key string) bool {
	value, present := object[key]
	if !present {
		return false
	}
	flag, ok := value.(bool)
	if !ok {
		d.problem(ReasonShape, "%s is %s, want a boolean", where, kindOf(value))
	}
	return ok && flag
}

// granted reads whether the real thing is given in place of a fixed one: a
// boolean, or the word for either.
func (d *decoder) granted(where string, object map[string]any, key, word string) bool {
	switch value, present := object[key]; {
	case !present || value == false || value == GrantFixed:
		return false
	case value == true || value == word:
		return true
	case isText(value):
		d.problem(ReasonShape, "%s is %q, want true or %q, false or %q", where, value, word, GrantFixed)
	default:
		d.problem(ReasonShape, "%s is %s, want true or %q, false or %q", where, kindOf(value), word, GrantFixed)
	}
	return false
}

func isText(value any) bool {
	_, is := value.(string)
	return is
}

// word reads one of a few words; the first is the default.
func (d *decoder) word(where string, object map[string]any, key string, words ...string) string {
	value, present := object[key]
	if !present {
		return words[0]
	}
	word, ok := value.(string)
	if !ok {
		d.problem(ReasonShape, "%s is %s, want a string", where, kindOf(value))
		return ""
	}
	if !slices.Contains(words, word) {
		d.problem(ReasonRange, "%s is %q, want one of %s", where, word, strings.Join(words, ", "))
		return ""
	}
	return word
}

func (d *decoder) optional(where string, object map[string]any, key string) string {
	value, present := object[key]
	if !present {
		return ""
	}
	return d.text(where+"."+key, value, false)
}

func (d *decoder) pairs(where string, object map[string]any, key string) map[string]string {
	out := map[string]string{}
	value, present := object[key]
	if !present {
		return out
	}
	pairs, ok := value.(map[string]any)
	if !ok {
		d.problem(ReasonShape, "%s is %s, want an object", where, kindOf(value))
		return out
	}
	for _, k := range slices.Sorted(maps.Keys(pairs)) {
		out[k] = d.text(where, pairs[k], false)
	}
	return out
}

// normalize leaves no list null and every list in order.
func (g ChangeGrant) normalize() ChangeGrant {
	kind := func(k KindGrant) string { return join(k.Group, k.Kind) }
	g.Only = sortedSet(g.Only)
	g.Add, g.Remove, g.Protected = sorted(g.Add, kind), sorted(g.Remove, kind), sorted(g.Protected, kind)
	g.Fields = sorted(g.Fields, func(f FieldGrant) string { return join(f.Group, f.Kind, f.Pointer) })
	return g
}
