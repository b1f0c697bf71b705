// Command gojson decodes and encodes JSON with the standard library.
package main

import (
	"encoding/json"
	"fmt"
)

type item struct {
	Kind     string            `json:"kind"`
	Name     string            `json:"name"`
	Labels   map[string]string `json:"labels"`
	Replicas int               `json:"replicas"`
	Ratio    float64           `json:"ratio"`
}

func main() {
	var items []item
	for i := range 300 {
		items = append(items, item{
			Kind: "Deployment", Name: fmt.Sprintf("app-%d", i), Replicas: i, Ratio: float64(i) / 7,
			Labels: map[string]string{"app": fmt.Sprint(i), "tier": "web"},
		})
	}
	doc, err := json.Marshal(items)
	if err != nil {
		panic(err)
	}
	total := 0
	for range 12 {
		var typed []item
		var loose any
		if json.Unmarshal(doc, &typed) != nil || json.Unmarshal(doc, &loose) != nil {
			panic("unmarshal")
		}
		out, err := json.Marshal(loose)
		if err != nil {
			panic(err)
		}
		total += len(out) + len(typed)
	}
	fmt.Println(total)
}
