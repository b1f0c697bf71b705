package krmfilter_test

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/krmsafe/krmsafe/krmfilter"
)

func TestMain(m *testing.M) {
	if krmfilter.IsChild(os.Args) {
		os.Exit(krmfilter.Child(os.Args))
	}
	os.Exit(m.Run())
}

// judge is one that runs unsigned modules under the baseline, or as cfg says.
func judge(t *testing.T, cfg krmfilter.Config) *krmfilter.Judge {
	t.Helper()
	if len(cfg.Policy.Builtin)+len(cfg.Policy.Sources) == 0 {
		cfg.Policy.Builtin = []string{"baseline"}
	}
	cfg.AllowUnsigned = len(cfg.Trust.Rules) == 0
	j, err := krmfilter.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// read gives the nodes of manifests as kyaml reads them.
func read(t *testing.T, text string) []*yaml.RNode {
	t.Helper()
	nodes, err := (&kio.ByteReader{Reader: bytes.NewBufferString(text), OmitReaderAnnotations: true}).Read()
	if err != nil {
		t.Fatal(err)
	}
	return nodes
}

// write gives manifests as kyaml writes them.
func write(t *testing.T, nodes []*yaml.RNode) string {
	t.Helper()
	var b bytes.Buffer
	if err := (kio.ByteWriter{Writer: &b, KeepReaderAnnotations: true}).Write(nodes); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const shop = `# the settings
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings # of the shop
data: {a: '1'}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  # as many as there are zones
  replicas: 3
  template:
    spec:
      containers:
      - {name: web, image: "web:1"} # pinned elsewhere
`

// listed is a ResourceList of entries.
func listed(entries string) []byte {
	return []byte("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n" + entries)
}

const (
	settings = "- {apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: '1'}}\n"
	web      = "- {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 3, template: {spec: {containers: [{name: web, image: 'web:1'}]}}}}\n"
	webTwo   = "- {apiVersion: apps/v1, kind: Deployment, metadata: {name: web, labels: {team: one}}, spec: {replicas: 3, template: {spec: {containers: [{name: web, image: 'web:1'}]}}}}\n"
)
