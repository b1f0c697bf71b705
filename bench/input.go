package main

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// estate is a ResourceList of n resources, in the proportions of a usual estate
// and as kustomize writes it. It depends on n alone.
func estate(n int) []byte {
	var b bytes.Buffer
	b.WriteString("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n")
	for i := range n {
		fmt.Fprintf(&b, [...]string{deployment, service, deployment, configMap, secret}[i%5], i, i%50, i%7+1)
	}
	return b.Bytes()
}

const deployment = `- apiVersion: apps/v1
  kind: Deployment
  metadata:
    name: app-%[1]d
    namespace: team-%[2]d
    labels:
      app.kubernetes.io/name: app-%[1]d
      app.kubernetes.io/part-of: shop
    annotations:
      internal.config.kubernetes.io/path: team-%[2]d/app-%[1]d.yaml
      internal.config.kubernetes.io/index: '0'
  spec:
    replicas: %[3]d
    selector:
      matchLabels:
        app.kubernetes.io/name: app-%[1]d
    template:
      metadata:
        labels:
          app.kubernetes.io/name: app-%[1]d
      spec:
        containers:
        - name: app
          image: registry.example.com/shop/app:1.%[1]d.0
          args: ["--listen=:8080", "--verbose"]
          ports:
          - containerPort: 8080
            name: http
          env:
          - name: LOG_LEVEL
            value: info
          - name: DB_PASSWORD
            valueFrom:
              secretKeyRef:
                name: db
                key: password
          resources:
            requests:
              cpu: 100m
              memory: 128Mi
            limits:
              memory: 256Mi
`

const service = `- apiVersion: v1
  kind: Service
  metadata:
    name: app-%[1]d
    namespace: team-%[2]d
  spec:
    selector:
      app.kubernetes.io/name: app-%[1]d
    ports:
    - name: http
      port: 80
      targetPort: 808%[3]d
`

const configMap = `- apiVersion: v1
  kind: ConfigMap
  metadata:
    name: settings-%[1]d
    namespace: team-%[2]d
  data:
    key: "value-%[1]d"
    settings.yaml: |
      level: debug # not the level of the house
      listen: 0.0.0.0:808%[3]d
`

const secret = `- apiVersion: v1
  kind: Secret
  metadata:
    name: token-%[1]d
    namespace: team-%[2]d
  type: Opaque
  data:
    password: cGFzc3dvcmQtaHVudGVyM%[3]d==
`

// judge checks outputs by their meaning: the items of the input, each with the
// annotation. It remembers what it found good, since most columns give the same.
type judge struct {
	want any
	good [][]byte
}

func newJudge(input []byte) (*judge, error) {
	var list map[string]any
	if err := yaml.Unmarshal(input, &list); err != nil {
		return nil, err
	}
	for _, item := range list["items"].([]any) {
		metadata := item.(map[string]any)["metadata"].(map[string]any)
		annotations, _ := metadata["annotations"].(map[string]any)
		if annotations == nil {
			annotations = map[string]any{}
			metadata["annotations"] = annotations
		}
		annotations["bench.krmsafe.dev/owner"] = "team-a"
	}
	return &judge{want: list["items"]}, nil
}

func (j *judge) check(file string) error {
	out, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for _, g := range j.good {
		if bytes.Equal(g, out) {
			return nil
		}
	}
	var list map[string]any
	if err := yaml.Unmarshal(out, &list); err != nil {
		return fmt.Errorf("its output is no YAML: %w", err)
	}
	if !reflect.DeepEqual(list["items"], j.want) {
		return fmt.Errorf("its output is not the input with the annotation: %s", firstDifference(list["items"], j.want))
	}
	j.good = append(j.good, out)
	return nil
}

func firstDifference(got, want any) string {
	a, _ := got.([]any)
	b, _ := want.([]any)
	for i := range min(len(a), len(b)) {
		if !reflect.DeepEqual(a[i], b[i]) {
			x, _ := yaml.Marshal(a[i])
			return fmt.Sprintf("item %d is %q", i, strings.ReplaceAll(string(x), "\n", "; "))
		}
	}
	return fmt.Sprintf("%d items and not %d", len(a), len(b))
}
