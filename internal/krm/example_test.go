package krm_test

import (
	"bytes"
	"crypto/rand"
	"fmt"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// A function is shown a list without the values of Secrets; what it answers is told field by field.
func ExampleExchange() {
	list, err := krm.ReadStream([]byte(`apiVersion: v1
kind: Secret
metadata:
  name: db # ours
data:
  password: aHVudGVyMg==
`), krm.DefaultLimits())
	if err != nil {
		fmt.Println(err)
		return
	}
	x, err := krm.NewExchange(list, krm.View{}, rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("sees the password:", bytes.Contains(x.Input(), []byte("aHVudGVyMg")))

	answer := bytes.Replace(x.Input(), []byte("name: db"), []byte("name: db\n    namespace: shop"), 1)
	out, err := x.Output(answer, krm.DefaultLimits())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range out.Changes {
		fmt.Printf("%s %s %s %s\n", c.Op, c.Resource, c.Pointer, c.After)
	}
	text, err := out.List.Manifests()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(text))
	// Output:
	// sees the password: false
	// add Secret db /metadata/namespace "shop"
	// apiVersion: v1
	// kind: Secret
	// metadata:
	//   name: db # ours
	//   namespace: shop
	// data:
	//   password: aHVudGVyMg==
}

func ExampleParseFunction() {
	config, err := krm.ParseConfig("labels.yaml", []byte(`apiVersion: example.com/v1
kind: SetLabels
metadata:
  name: labels
  annotations:
    config.kubernetes.io/function: |
      wasip1:
        image: ghcr.io/example/set-labels:v1
`), krm.DefaultLimits())
	if err != nil {
		fmt.Println(err)
		return
	}
	spec, err := krm.ParseFunction(config)
	fmt.Println(config.Kind, spec.Image, err)
	// Output: SetLabels ghcr.io/example/set-labels:v1 <nil>
}

// A broken document is named by line and column.
func ExampleParse() {
	_, err := krm.Parse([]byte("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- name: a: b\n"), krm.DefaultLimits())
	fmt.Println(err)
	// Output: line 4, column 10: mapping values are not allowed in this context
}
