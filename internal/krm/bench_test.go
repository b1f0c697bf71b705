package krm_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/kio"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// cluster is a ResourceList of n resources in the proportions of a usual estate, written as kyaml writes it.
func cluster(n int) []byte {
	var b strings.Builder
	b.WriteString("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n")
	for i := range n {
		switch i % 4 {
		case 0:
			fmt.Fprintf(&b, `- apiVersion: apps/v1
  kind: Deployment
  metadata:
    name: app-%[1]d
    namespace: ns-%[2]d
    labels:
      app.kubernetes.io/name: app-%[1]d
      app.kubernetes.io/part-of: shop
  spec:
    replicas: 3
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
`, i, i%50)
		case 1:
			fmt.Fprintf(&b, `- apiVersion: v1
  kind: Service
  metadata:
    name: svc-%[1]d
    namespace: ns-%[2]d
  spec:
    selector:
      app.kubernetes.io/name: app-%[1]d
    ports:
    - name: http
      port: 80
      targetPort: 8080
`, i, i%50)
		case 2:
			fmt.Fprintf(&b, `- apiVersion: v1
  kind: ConfigMap
  metadata:
    name: cm-%[1]d
    namespace: ns-%[2]d
  data:
    key: value-%[1]d
    conf.yaml: |
      level: debug
      listen: 0.0.0.0:8080
`, i, i%50)
		case 3:
			fmt.Fprintf(&b, `- apiVersion: v1
  kind: Secret
  metadata:
    name: secret-%[1]d
    namespace: ns-%[2]d
  type: Opaque
  data:
    password: cGFzc3dvcmQtaHVudGVyMg==
`, i, i%50)
		}
	}
	return []byte(b.String())
}

func BenchmarkKyamlParseAndPrint(b *testing.B) {
	in := cluster(10_000)
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		rw := &kio.ByteReadWriter{Reader: bytes.NewReader(in), Writer: io.Discard, KeepReaderAnnotations: true}
		nodes, err := rw.Read()
		if err != nil {
			b.Fatal(err)
		}
		if err := rw.Write(nodes); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in := cluster(n)
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				if _, err := krm.Parse(in, krm.DefaultLimits()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkExchange is what krmsafe does around a run: it parses the input, prepares what the function sees, reads
// the answer, compares it, and writes what leaves. The function changes none, a tenth or all of the resources.
func BenchmarkExchange(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		in := cluster(n)
		for _, tt := range []struct {
			name  string
			every int
		}{{"none", 0}, {"tenth", 10}, {"all", 1}} {
			b.Run(fmt.Sprintf("%d/%s", n, tt.name), func(b *testing.B) {
				b.SetBytes(int64(len(in)))
				b.ReportAllocs()
				for b.Loop() {
					rl, err := krm.Parse(in, krm.DefaultLimits())
					if err != nil {
						b.Fatal(err)
					}
					x, err := krm.NewExchange(rl, krm.View{}, random())
					if err != nil {
						b.Fatal(err)
					}
					b.StopTimer()
					answer := label(x.Input(), tt.every)
					b.StartTimer()
					out, err := x.Output(answer, krm.DefaultLimits())
					if err != nil {
						b.Fatal(err)
					}
					if _, err := out.List.Encode(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkOutput is the difference and the checks alone, where the function changes every resource.
func BenchmarkOutput(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in := cluster(n)
			rl, err := krm.Parse(in, krm.DefaultLimits())
			if err != nil {
				b.Fatal(err)
			}
			x, err := krm.NewExchange(rl, krm.View{}, random())
			if err != nil {
				b.Fatal(err)
			}
			answer := label(x.Input(), 1)
			b.SetBytes(int64(len(answer)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := x.Output(answer, krm.DefaultLimits()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// label adds a label to every so-manieth resource, as text.
func label(in []byte, every int) []byte {
	if every == 0 {
		return in
	}
	parts := bytes.SplitAfter(in, []byte("\n  metadata:\n"))
	var b bytes.Buffer
	for i, p := range parts {
		b.Write(p)
		if i < len(parts)-1 && i%every == 0 {
			b.WriteString("    annotations:\n      example.com/owner: team-a\n")
		}
	}
	return b.Bytes()
}
