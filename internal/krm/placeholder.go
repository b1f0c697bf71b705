package krm

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// placeholders stand for the values of Secrets while a function runs. All of one run share a random token, so that
// one search finds any of them wherever it went; each has a number, so that none can stand for another. Under data,
// where base64 is expected, a placeholder is base64 of the same text.
type placeholders struct {
	token   string
	needles []string // the token in every spelling that is searched for
}

// tokenBytes of randomness make a token that a function cannot guess before it sees it.
const tokenBytes = 16

func newPlaceholders(random io.Reader) (*placeholders, error) {
	seed := make([]byte, tokenBytes)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, fmt.Errorf("making placeholders for Secrets: %w", err)
	}
	p := &placeholders{token: "krmsafe" + hex.EncodeToString(seed)}
	p.needles = spellings(p.token)
	return p, nil
}

// stand is the placeholder of one value of the item at one position. It is plain letters, digits and dashes, and as
// long whatever it stands for, so that its length tells nothing.
func (p *placeholders) stand(item, value int, encoded bool) string {
	s := fmt.Sprintf("%s-%08d-%06d", p.token, item, value)
	if encoded {
		return base64.StdEncoding.EncodeToString([]byte(s))
	}
	return s
}

// spellings lists what to search for to find a token: as it is, in hexadecimal, and in base64 once and twice at each
// of the three places where it can stand in a group of three bytes. A token has no character that URLs, JSON or
// shells write differently, so those spellings are the token itself.
func spellings(token string) []string {
	upper := strings.ToUpper(token)
	list := []string{token, hex.EncodeToString([]byte(token)), strings.ToUpper(hex.EncodeToString([]byte(token))), upper, reverse(token)}
	for _, once := range inBase64(token) {
		list = append(list, once)
		list = append(list, inBase64(once)...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func reverse(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// inBase64 is the part of a token's base64 that does not depend on what stands around it, for each place.
func inBase64(s string) []string {
	var list []string
	for shift := range 3 {
		full := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x00", shift) + s + "\x00\x00\x00"))
		from := (shift*8 + 5) / 6      // the first character that holds bits of s only
		to := (shift + len(s)) * 8 / 6 // behind the last such character
		list = append(list, full[from:to])
	}
	return list
}

// in says whether a text holds a placeholder of this run, or part of one that names the run, in any spelling.
func (p *placeholders) in(s string) bool {
	if len(s) < len(p.token) {
		return false
	}
	return slices.ContainsFunc(p.needles, func(n string) bool { return strings.Contains(s, n) })
}

// anywhere finds a placeholder in a tree: in a key, a value or a tag.
func (p *placeholders) anywhere(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.ScalarNode {
		if p.in(n.Value) {
			return n
		}
		return nil
	}
	for _, c := range n.Content {
		if found := p.anywhere(c); found != nil {
			return found
		}
	}
	return nil
}

// substitute is a copy of a Secret, the item at a position of the list, in which placeholders stand for its values. It
// has no comments, which may hold values too.
func (p *placeholders) substitute(n *yaml.Node, item int) *yaml.Node {
	values, v := 0, &veil{values: spoken(n)}
	var walk func(n *yaml.Node, path []string) *yaml.Node
	walk = func(n *yaml.Node, path []string) *yaml.Node {
		c := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value, Style: n.Style}
		if n.Kind == yaml.ScalarNode && v.hides(path, n) && kindOf(n) != isNull {
			values++
			c.Tag, c.Style, c.Value = strTag, 0, p.stand(item, values, path[0] == "data")
		}
		for i, child := range n.Content {
			switch {
			case n.Kind == yaml.SequenceNode:
				child = walk(child, append(path[:len(path):len(path)], indexSegment(i)))
			case i%2 == 0:
				child = &yaml.Node{Kind: child.Kind, Tag: child.Tag, Value: child.Value, Style: child.Style}
			default:
				child = walk(child, append(path[:len(path):len(path)], n.Content[i-1].Value))
			}
			c.Content = append(c.Content, child)
		}
		return c
	}
	return walk(n, nil)
}

// restore is a function's tree of a Secret in which the real values are back wherever the placeholder stands at the
// place it was given for. shown is what the function was shown there, real what stands there in truth.
func restore(out, shown, real *yaml.Node) *yaml.Node {
	if out.Kind != shown.Kind || shown.Kind != real.Kind {
		return out
	}
	if out.Kind == yaml.ScalarNode {
		if out.Value == shown.Value && shown.Value != real.Value && kindOf(out) == isString {
			return real
		}
		return out
	}
	c := *out
	c.Content = slices.Clone(out.Content)
	for i := range c.Content {
		if out.Kind == yaml.SequenceNode {
			if i < len(shown.Content) {
				c.Content[i] = restore(out.Content[i], shown.Content[i], real.Content[i])
			}
			continue
		}
		if i%2 == 1 {
			key := out.Content[i-1].Value
			if s, r := field(shown, key), field(real, key); s != nil && r != nil {
				c.Content[i] = restore(out.Content[i], s, r)
			}
		}
	}
	return &c
}
