package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"

	"github.com/open-policy-agent/opa/v1/util"
	"go.yaml.in/yaml/v3"
)

// MergeParams makes one object for Config.Params of several files, each an
// object of JSON or, where its name ends in .yaml or .yml, of YAML. Objects
// merge at every depth; two files that define the same value are refused.
func MergeParams(files []Source) ([]byte, error) {
	merged := map[string]any{}
	for _, file := range files {
		bad := func(why string) error {
			return &LoadError{Code: "policy.params", Message: fmt.Sprintf("policy data %q %s", file.Name, why), Hint: "give one object per file; policies read it as data.params"}
		}
		if len(file.Text) > maxPolicyBytes {
			return nil, bad(fmt.Sprintf("exceeds the limit of %d bytes", maxPolicyBytes))
		}
		value, err := decodeData(file.Name, file.Text)
		if err != nil {
			return nil, bad("does not parse: " + err.Error())
		}
		object, ok := value.(map[string]any)
		if !ok {
			return nil, bad("holds no object")
		}
		if conflict := mergeInto(merged, object, "data.params"); conflict != "" {
			return nil, bad(fmt.Sprintf("defines %s again", conflict))
		}
	}
	return json.Marshal(merged)
}

// mergeInto adds what is in from, and returns the path of a value that is
// already there.
func mergeInto(into, from map[string]any, where string) string {
	for _, key := range slices.Sorted(maps.Keys(from)) {
		have, taken := into[key]
		if !taken {
			into[key] = from[key]
			continue
		}
		a, isA := have.(map[string]any)
		b, isB := from[key].(map[string]any)
		if !isA || !isB {
			return where + "." + key
		}
		if conflict := mergeInto(a, b, where+"."+key); conflict != "" {
			return conflict
		}
	}
	return ""
}

// plainYAML refuses what a YAML reader would resolve in silence: a second
// document, anchors and aliases, and a key that stands twice in one mapping.
func plainYAML(text []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, second yaml.Node
	if err := decoder.Decode(&document); err != nil {
		return notJSON(err)
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return errors.New("it has more than one document")
	}
	return plainNode(&document, 0)
}

func plainNode(node *yaml.Node, depth int) error {
	if depth > maxDataDepth {
		return fmt.Errorf("line %d: it nests deeper than %d levels", node.Line, maxDataDepth)
	}
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		return fmt.Errorf("line %d: it has an anchor or an alias", node.Line)
	}
	seen := map[string]bool{}
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 0 {
			if child.Kind != yaml.ScalarNode || seen[child.Value] {
				return fmt.Errorf("line %d: key %q stands twice in one mapping, or is no text", child.Line, child.Value)
			}
			seen[child.Value] = true
		}
		if err := plainNode(child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// decodeData reads JSON strictly, and YAML where the name says so.
func decodeData(name string, text []byte) (any, error) {
	if ext := path.Ext(name); ext == ".yaml" || ext == ".yml" {
		if err := plainYAML(text); err != nil {
			return nil, err
		}
		var value any
		if err := util.Unmarshal(text, &value); err != nil {
			return nil, errors.New(oneLine(err.Error()))
		}
		return value, nil
	}
	return uniqueJSON(text)
}
