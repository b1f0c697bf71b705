package krm

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// Operations of a Change.
const (
	OpAdd     = "add"
	OpRemove  = "remove"
	OpReplace = "replace"
)

// Change is one difference between what a function was given and what it returned: a field, or a whole resource
// where Path is empty. Together the changes of an Output say all that it changed: those that are not Restored, applied
// to the input, give the output, but for the order of resources, style and comments. See TestDiffThenApplyIsIdentity.
//
// A resource is known by its group, kind, namespace and name: with another name or kind it is removed and another one is
// added. Another namespace alone, of one resource for which no other can be meant, is a change of that field.
type Change struct {
	Op       string   // OpAdd, OpRemove or OpReplace
	Resource Identity // as in the input, or in the output where it was added
	// Path leads to the field. A segment is the key of a mapping, or names an element of a sequence in brackets: by
	// its merge keys, "[name=web]" or "[containerPort=80,protocol=TCP]", where Kubernetes merges the sequence by
	// them, else by its index, "[0]". A key that begins with a bracket or a backslash is written with a backslash
	// before it, so that no key can pass for an element.
	Path []string
	// Pointer is the same path as a JSON Pointer (RFC 6901) into the output, or into the input where Op is OpRemove.
	Pointer string
	Before  json.RawMessage // null where there was nothing
	After   json.RawMessage // null where there is nothing; values of Secrets are masked on both sides
	// Restored marks what the function did and what does not leave: another value for an annotation in which an
	// orchestrator keeps books (see Bookkeeping). It is told so that a policy may refuse the function for it.
	Restored bool
}

// ChangeSummary counts what changed. Lists are sorted and never nil; a kind is written as group/Kind, or Kind alone
// for the core group.
type ChangeSummary struct {
	Added          int      // resources
	Removed        int      // resources
	Changed        int      // resources with at least one changed field
	Reordered      bool     // resources that stayed stand in another order
	KindsAdded     []string // kinds of the resources added
	KindsRemoved   []string
	KindsChanged   []string
	SecretsTouched int // Secrets added, removed or changed
	// ReservedAnnotations are the keys of reserved annotations that were added, removed or changed. The file that a
	// new resource asks for is not among them: it was checked and is in the change itself.
	ReservedAnnotations []string
}

// summarizeChanges counts changes; each group is of one resource.
func summarizeChanges(groups [][]Change) ChangeSummary {
	s := ChangeSummary{KindsAdded: []string{}, KindsRemoved: []string{}, KindsChanged: []string{}, ReservedAnnotations: []string{}}
	for _, g := range groups {
		for _, c := range g {
			for _, key := range reservedIn(c) {
				if len(c.Path) > 0 || c.Op != OpAdd || !slices.Contains(originKeys, key) {
					s.ReservedAnnotations = append(s.ReservedAnnotations, key)
				}
			}
		}
		c := g[0]
		kind := c.Resource.Kind
		if c.Resource.Group != "" {
			kind = c.Resource.Group + "/" + kind
		}
		if c.Resource.isSecret() {
			s.SecretsTouched++
		}
		switch {
		case len(c.Path) > 0:
			s.Changed++
			s.KindsChanged = append(s.KindsChanged, kind)
		case c.Op == OpAdd:
			s.Added++
			s.KindsAdded = append(s.KindsAdded, kind)
		default:
			s.Removed++
			s.KindsRemoved = append(s.KindsRemoved, kind)
		}
	}
	for _, list := range []*[]string{&s.KindsAdded, &s.KindsRemoved, &s.KindsChanged, &s.ReservedAnnotations} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return s
}

// reservedPrefixes are those of annotations by which tools steer functions and themselves.
var reservedPrefixes = []string{
	"config.kubernetes.io/", "internal.config.kubernetes.io/", "config.k8s.io/", "kustomize.config.k8s.io/", "krmsafe.dev/",
}

func isReserved(key string) bool {
	return slices.ContainsFunc(reservedPrefixes, func(p string) bool { return strings.HasPrefix(key, p) })
}

// reservedIn lists the reserved annotations that a change touches, on the object itself or on a template in it.
func reservedIn(c Change) []string {
	var keys []string
	for i, s := range c.Path {
		if s == "annotations" && i > 0 && c.Path[i-1] == "metadata" && i+1 < len(c.Path) {
			if isReserved(c.Path[i+1]) {
				return []string{c.Path[i+1]}
			}
			return nil
		}
	}
	for _, value := range []json.RawMessage{c.Before, c.After} {
		if mayHoldReserved(value) {
			var v any
			if json.Unmarshal(value, &v) == nil {
				keys = appendReserved(keys, v, tail(c.Path))
			}
		}
	}
	return keys
}

// tail says where in an object a value stands, as far as annotations are concerned.
func tail(path []string) string {
	switch n := len(path); {
	case n > 1 && path[n-2] == "metadata" && path[n-1] == "annotations":
		return "annotations"
	case n > 0 && path[n-1] == "metadata":
		return "metadata"
	}
	return ""
}

func mayHoldReserved(value json.RawMessage) bool {
	return slices.ContainsFunc(reservedPrefixes, func(p string) bool { return strings.Contains(string(value), p) })
}

func appendReserved(keys []string, v any, at string) []string {
	switch v := v.(type) {
	case map[string]any:
		for k, child := range v {
			where := ""
			switch {
			case k == "metadata":
				where = "metadata"
			case at == "metadata" && k == "annotations":
				where = "annotations"
			case at == "annotations" && isReserved(k):
				keys = append(keys, k)
			}
			keys = appendReserved(keys, child, where)
		}
	case []any:
		for _, child := range v {
			keys = appendReserved(keys, child, "")
		}
	}
	return keys
}

// keySegment is the path segment of a mapping's key.
func keySegment(key string) string {
	if strings.HasPrefix(key, "[") || strings.HasPrefix(key, `\`) {
		return `\` + key
	}
	return key
}

func indexSegment(i int) string { return "[" + strconv.Itoa(i) + "]" }

// pointerToken is a JSON Pointer's token for a key.
func pointerToken(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}
