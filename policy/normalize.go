package policy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Normalize returns the facts in the one form that policies see: the version
// set, no list or map null, lists sorted and free of duplicates where order
// carries no meaning. It copies what it changes; f is left as it is.
func (f Facts) Normalize() Facts {
	f.Version = FactsVersion
	f.Verified = f.Verified.normalize()
	f.Unverified.Annotations = presentMap(f.Unverified.Annotations)
	f.Module = f.Module.normalize()
	f.Request = f.Request.normalize()
	if f.Runtime.CompiledCode == "" {
		f.Runtime.CompiledCode = "imported" // as for the jail: what nobody says is the worst there is
	}
	if f.Runtime.Jail == "" {
		f.Runtime.Jail = "none"
	}
	f.Resources.Kinds = sorted(f.Resources.Kinds, func(k ResourceKinds) string {
		return join(k.Group, k.Version, k.Kind)
	})
	f.Resources.Namespaces = sortedSet(f.Resources.Namespaces)
	return f
}

func (r Request) normalize() Request {
	if r.Flags.RequireJail == "" {
		r.Flags.RequireJail = "full"
	}
	if r.Flags.Mode == "" {
		r.Flags.Mode = "enforce"
	}
	r.Flags.PermissivePolicy = sortedSet(r.Flags.PermissivePolicy)
	return r
}

func (v Verified) normalize() Verified {
	signatures := make([]Signature, len(v.Signatures))
	for i, s := range v.Signatures {
		s.Annotations = presentMap(s.Annotations)
		s.Extensions = presentMap(s.Extensions)
		s.Timestamps = sorted(s.Timestamps, func(t Timestamp) string { return join(t.Time, t.Type, t.URI) })
		signatures[i] = s
	}
	v.Signatures = sorted(signatures, func(s Signature) string {
		return join(s.Authority, s.Type, s.KeyID, s.Issuer, s.Subject, mapKey(s.Annotations), mapKey(s.Extensions), fmt.Sprint(s.Timestamps))
	})
	attestations := make([]Attestation, len(v.Attestations))
	for i, a := range v.Attestations {
		if len(a.Predicate) == 0 {
			a.Predicate = json.RawMessage("null")
		}
		attestations[i] = a
	}
	v.Attestations = sorted(attestations, func(a Attestation) string {
		return join(a.Authority, a.PredicateType, string(a.Predicate))
	})
	return v
}

func (m Module) normalize() Module {
	m.Imports = sorted(m.Imports, func(i Import) string { return join(i.Module, i.Name, i.Kind, i.Class) })
	classes := slices.Clone(m.ImportClasses)
	for _, i := range m.Imports {
		if i.Class != "" {
			classes = append(classes, i.Class)
		}
	}
	m.ImportClasses = sortedSet(classes)
	m.Exports = sorted(m.Exports, func(e Export) string { return join(e.Name, e.Kind) })
	m.Tables = present(m.Tables)
	m.Features = sortedSet(m.Features)
	m.Producers = sorted(m.Producers, func(p Producer) string { return join(p.Field, p.Name, p.Version) })
	m.CustomSections = present(m.CustomSections)
	return m
}

// present returns a copy that marshals as a list, never as null.
func present[T any](list []T) []T {
	return append(make([]T, 0, len(list)), list...)
}

func presentMap(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return maps.Clone(m)
}

// sorted returns a copy in the order of the keys.
func sorted[T any](list []T, key func(T) string) []T {
	out := present(list)
	slices.SortStableFunc(out, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	return out
}

func sortedSet(list []string) []string {
	out := present(list)
	slices.Sort(out)
	return slices.Compact(out)
}

// join builds a sort key in which no field can run into the next.
func join(fields ...string) string { return strings.Join(fields, "\x00") }

func mapKey(m map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, "%q=%q,", k, m[k])
	}
	return b.String()
}
