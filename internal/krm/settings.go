package krm

import "go.yaml.in/yaml/v3"

// MaxSettingsBytes bounds the text of a file of settings.
const MaxSettingsBytes = 1 << 20

// The kinds of a setting's values.
const (
	SettingText   = "text"
	SettingNumber = "number"
	SettingBool   = "bool"
)

// Setting is one "KEY: VALUE" of a file of settings. A value is one scalar or a list of them.
type Setting struct {
	Key    string
	Values []SettingValue
	List   bool // it was written as a list
	Line   int  // of the key, from 1
}

// SettingValue is one scalar as it was written. Kind is SettingText, SettingNumber or SettingBool.
type SettingValue struct {
	Text string
	Kind string
	Line int
}

// ParseSettings reads a file that is one mapping of keys to scalars or lists of scalars, in the order of the file. A key
// twice, an anchor, a nested mapping, null, or more than one document is a *SyntaxError with the name and the line. name
// is what errors call the file. An empty file has no settings.
func ParseSettings(name string, data []byte) ([]Setting, error) {
	list, err := parseSettings(data)
	return list, named("config.", name, err)
}

func parseSettings(data []byte) ([]Setting, error) {
	root, err := settingsRoot(data, MaxSettingsBytes)
	if err != nil {
		return nil, err
	}
	var list []Setting
	for i := 0; i+1 < len(root.Content); i += 2 {
		k, v := root.Content[i], root.Content[i+1]
		s := Setting{Key: k.Value, Line: k.Line}
		nodes := []*yaml.Node{v}
		if v.Kind == yaml.SequenceNode {
			s.List, nodes = true, v.Content
		}
		for _, n := range nodes {
			value, err := settingValue(k.Value, n)
			if err != nil {
				return nil, err
			}
			s.Values = append(s.Values, value)
		}
		list = append(list, s)
	}
	return list, nil
}

func settingValue(key string, n *yaml.Node) (SettingValue, error) {
	value := SettingValue{Text: n.Value, Line: n.Line}
	switch {
	case n.Kind != yaml.ScalarNode:
		return value, problemf("value", n.Line, n.Column, "the value of %q is neither a scalar nor a list of scalars", short(key))
	case n.Tag == nullTag:
		return value, problemf("value", n.Line, n.Column, "%q has no value", short(key)).withHint("leave the key out, or give it a value")
	case n.Tag == strTag:
		value.Kind = SettingText
	case n.Tag == "!!int":
		value.Kind = SettingNumber
	case n.Tag == "!!bool":
		value.Kind = SettingBool
	default:
		return value, problemf("value", n.Line, n.Column, "the value of %q is neither text, a whole number, true nor false", short(key)).withHint("quote it")
	}
	return value, nil
}
