package krm

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// shortestSecret is the length below which a value is not searched for: it would be found in any text.
const shortestSecret = 6

// maxSecretLines bounds the work of searching for the lines of a value one by one.
const maxSecretLines = 1000

// grant notes the values of a Secret that a function is given.
func (x *Exchange) grant(it *Item) error {
	n, err := it.tree()
	if err != nil {
		return err
	}
	x.granted = append(x.granted, spoken(n)...)
	return nil
}

// spoken lists the values of a Secret in the forms in which a function may say them: as they stand there, as base64
// hides them, as JSON writes them, and line by line up to maxSecretLines.
func spoken(n *yaml.Node) []string {
	list := map[string]bool{}
	note := func(s string) {
		if len(s) >= shortestSecret {
			list[s] = true
		}
	}
	say := func(s string) {
		note(s)
		note(strings.TrimSpace(s))
		if text, err := json.Marshal(s); err == nil {
			note(string(text[1 : len(text)-1]))
		}
		if strings.Count(s, "\n") > maxSecretLines {
			return
		}
		for line := range strings.Lines(s) {
			note(strings.TrimSpace(line))
		}
	}
	for _, key := range []string{"data", "stringData"} {
		values := field(n, key)
		for i := 1; values != nil && values.Kind == yaml.MappingNode && i < len(values.Content); i += 2 {
			s := values.Content[i].Value
			say(s)
			if key == "stringData" {
				note(base64.StdEncoding.EncodeToString([]byte(s)))
			} else if plain, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), "")); err == nil {
				say(string(plain))
			}
		}
	}
	return slices.Collect(maps.Keys(list))
}

// Redact masks what a function says beside its resources, in a message or on its standard error: every line that
// holds a placeholder of this run, and every value of a Secret that it was given, as an item or as its functionConfig, as it
// is or in base64. What a function hides in another way is not found; a function that is not trusted is not given values.
func (x *Exchange) Redact(s string) string {
	for _, v := range x.granted {
		s = strings.ReplaceAll(s, v, Masked)
	}
	if x.secrets == nil || !x.secrets.in(s) {
		return s
	}
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if x.secrets.in(l) {
			lines[i] = Masked
		}
	}
	return strings.Join(lines, "\n")
}

// redactResults masks the results of a function.
func (x *Exchange) redactResults(results []Result) []Result {
	if x.secrets == nil && len(x.granted) == 0 {
		return results
	}
	for i := range results {
		r := &results[i]
		texts := []*string{&r.Message}
		if r.Field != nil {
			texts = append(texts, &r.Field.Path, &r.Field.CurrentValue, &r.Field.ProposedValue)
		}
		if r.ResourceRef != nil {
			texts = append(texts, &r.ResourceRef.APIVersion, &r.ResourceRef.Kind, &r.ResourceRef.Namespace, &r.ResourceRef.Name)
		}
		if r.File != nil {
			texts = append(texts, &r.File.Path)
		}
		for _, s := range texts {
			*s = x.Redact(*s)
		}
		var tags map[string]string
		for k, v := range r.Tags {
			if tags == nil {
				tags = make(map[string]string, len(r.Tags))
			}
			if shown := x.Redact(k); shown != k {
				k = shown + strconv.Itoa(len(tags))
			}
			tags[k] = x.Redact(v)
		}
		r.Tags = tags
	}
	return results
}

// Results is ParseResults for what the function of this exchange wrote, masked: what it has to say where its output
// is not read, because it failed.
func (x *Exchange) Results(output []byte, limits Limits) ([]Result, error) {
	results, err := ParseResults(output, limits)
	return x.redactResults(results), err
}
