package krm

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// mergeKeys names the keys by which Kubernetes merges the sequences of its own types (patchMergeKey and
// x-kubernetes-list-map-keys in its OpenAPI), by the name of the field: the names do not mean different things in
// different kinds, but for ports, where the first key set that fits holds.
var mergeKeys = map[string][][]string{
	"containers":                {{"name"}},
	"initContainers":            {{"name"}},
	"ephemeralContainers":       {{"name"}},
	"env":                       {{"name"}},
	"volumes":                   {{"name"}},
	"volumeMounts":              {{"mountPath"}},
	"volumeDevices":             {{"devicePath"}},
	"ports":                     {{"containerPort", "protocol"}, {"port", "protocol"}},
	"imagePullSecrets":          {{"name"}},
	"secrets":                   {{"name"}},
	"hostAliases":               {{"ip"}},
	"topologySpreadConstraints": {{"topologyKey", "whenUnsatisfiable"}},
	"resourceClaims":            {{"name"}},
	"ownerReferences":           {{"uid"}},
	"conditions":                {{"type"}},
	"webhooks":                  {{"name"}},
	"versions":                  {{"name"}},
}

// byName is how sequences of other fields are compared where every element is a mapping with a name of its own, as
// in most custom resources.
var byName = [][]string{{"name"}}

// elementKeys names every element of a sequence by its merge keys. ok is false where an element has none, or where
// two have the same.
func elementKeys(n *yaml.Node, keys []string) (names []string, ok bool) {
	names = make([]string, len(n.Content))
	seen := make(map[string]bool, len(n.Content))
	for i, c := range n.Content {
		if c.Kind != yaml.MappingNode {
			return nil, false
		}
		name, ok := elementKey(c, keys)
		if !ok || seen[name] {
			return nil, false
		}
		seen[name], names[i] = true, name
	}
	return names, true
}

func elementKey(c *yaml.Node, keys []string) (string, bool) {
	var b strings.Builder
	b.WriteByte('[')
	for i, key := range keys {
		v := field(c, key)
		text := ""
		switch {
		case v != nil && v.Kind == yaml.ScalarNode && v.Tag != nullTag:
			text = v.Value
		case i == 0:
			return "", false
		case key == "protocol":
			text = "TCP" // the API server's default
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(key + "=" + text)
	}
	b.WriteByte(']')
	return b.String(), true
}

// sequence merges two sequences: by merge keys where they have them, else by position.
func (d *differ) sequence(in, out *yaml.Node) *yaml.Node {
	if len(in.Content) > 0 && len(out.Content) > 0 && in.Content[0].Kind == yaml.MappingNode {
		sets, known := mergeKeys[d.fieldName()]
		if !known {
			sets = byName
		}
		for _, keys := range sets {
			a, okA := elementKeys(in, keys)
			b, okB := elementKeys(out, keys)
			if okA && okB {
				return d.keyed(in, out, a, b)
			}
		}
	}
	return d.positional(in, out)
}

func (d *differ) fieldName() string {
	if len(d.path) == 0 {
		return ""
	}
	return d.path[len(d.path)-1]
}

// keyed merges two sequences whose elements have names. Where the elements that stayed stand in another order, the
// whole sequence is replaced: order has a meaning in some (initContainers, env) and a path cannot say it.
func (d *differ) keyed(in, out *yaml.Node, a, b []string) *yaml.Node {
	index := make(map[string]int, len(a))
	for i, name := range a {
		index[name] = i
	}
	last := -1
	staying := make(map[string]bool, len(b))
	for _, name := range b {
		if i, ok := index[name]; ok {
			if i < last {
				return d.replace(in, out)
			}
			last, staying[name] = i, true
		}
	}
	before := len(d.changes)
	for i, name := range a {
		if !staying[name] {
			d.push(name, strconv.Itoa(i), "")
			d.record(in.Content[i], nil)
			d.pop()
		}
	}
	content := make([]*yaml.Node, 0, len(b))
	for j, name := range b {
		i, ok := index[name]
		if !ok {
			d.push(name, "", strconv.Itoa(j))
			d.record(nil, out.Content[j])
			content = append(content, fresh(out.Content[j]))
		} else {
			d.push(name, strconv.Itoa(i), strconv.Itoa(j))
			content = append(content, d.merge(in.Content[i], out.Content[j]))
		}
		d.pop()
	}
	return d.result(in, content, before)
}

// positional merges two sequences element by element, behind what both begin with and before what both end with
// where one is longer than the other.
func (d *differ) positional(in, out *yaml.Node) *yaml.Node {
	a, b := in.Content, out.Content
	head, rest := 0, 0
	if len(a) != len(b) {
		for head < len(a) && head < len(b) && equal(a[head], b[head]) {
			head++
		}
		for rest < len(a)-head && rest < len(b)-head && equal(a[len(a)-1-rest], b[len(b)-1-rest]) {
			rest++
		}
	}
	before := len(d.changes)
	content := append(make([]*yaml.Node, 0, len(b)), a[:head]...)
	i := head
	for ; i < len(a)-rest && i < len(b)-rest; i++ {
		d.push(indexSegment(i), strconv.Itoa(i), strconv.Itoa(i))
		content = append(content, d.merge(a[i], b[i]))
		d.pop()
	}
	for j := i; j < len(a)-rest; j++ {
		d.push(indexSegment(j), strconv.Itoa(j), "")
		d.record(a[j], nil)
		d.pop()
	}
	for j := i; j < len(b)-rest; j++ {
		d.push(indexSegment(j), "", strconv.Itoa(j))
		d.record(nil, b[j])
		d.pop()
		content = append(content, fresh(b[j]))
	}
	return d.result(in, append(content, a[len(a)-rest:]...), before)
}

func (d *differ) result(in *yaml.Node, content []*yaml.Node, before int) *yaml.Node {
	if len(d.changes) == before {
		return in
	}
	n := *in
	n.Content = content
	if len(in.Content) == 0 {
		n.Style &^= yaml.FlowStyle // "[]" was not a choice of style
	}
	return d.madeFrom(&n, in)
}
