// Command goyaml does what a typical KRM function does: it reads a stream of
// resources as YAML, adds a label to each, and writes them back.
package main

import (
	"bytes"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

const resource = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-%d
  namespace: web
  labels: {app: "app-%d", tier: web}
spec:
  replicas: %d # scaled by hand
  template:
    spec:
      containers:
        - name: main
          image: registry.example/app:%d
          args: [--port=80, --verbose]
          resources:
            limits: {cpu: 500m, memory: 128Mi}
`

func main() {
	var in bytes.Buffer
	for i := range 90 {
		fmt.Fprintf(&in, resource+"---\n", i, i, i%9, i)
	}
	total := 0
	d := yaml.NewDecoder(&in)
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	for {
		var n yaml.Node
		err := d.Decode(&n)
		if err == io.EOF {
			break
		}
		if err != nil {
			panic(err)
		}
		if label(&n, "app.kubernetes.io/managed-by", "krmsafe") {
			total++
		}
		if err := e.Encode(&n); err != nil {
			panic(err)
		}
	}
	fmt.Println(total, out.Len())
}

func label(n *yaml.Node, key, value string) bool {
	for _, k := range []string{"metadata", "labels"} {
		n = field(n, k)
		if n == nil {
			return false
		}
	}
	n.Content = append(n.Content,
		&yaml.Node{Kind: yaml.ScalarNode, Value: key}, &yaml.Node{Kind: yaml.ScalarNode, Value: value})
	return true
}

func field(n *yaml.Node, key string) *yaml.Node {
	if n.Kind == yaml.DocumentNode {
		if len(n.Content) == 0 {
			return nil
		}
		n = n.Content[0]
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}
