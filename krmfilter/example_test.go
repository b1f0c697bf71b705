package krmfilter_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/krmfilter"
	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/verify"
)

// labels stands for a function that sets labels: the bytes of a .wasm file.
func labels() []byte {
	return asm.Emit([]byte(`apiVersion: config.kubernetes.io/v1
kind: ResourceList
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: settings, labels: {team: shop}}, data: {mode: fast}}
results:
- {severity: info, message: labelled 1 resource}
`), nil, 0)
}

// A function in a pipeline that reads and writes text. The program's main begins with the hook: see the package's
// documentation.
func Example() {
	ctx := context.Background()
	judge, err := krmfilter.New(ctx, krmfilter.Config{
		Policy:        krmfilter.Policy{Builtin: []string{"baseline"}},
		AllowUnsigned: true, // the module is the program's own; for others set Trust
		Now:           time.Now,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = judge.Close() }()
	function := &krmfilter.Filter{
		Judge: judge, Context: ctx, Module: labels(), Name: "labels.wasm",
		FunctionConfig: yaml.MustParse("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata: {team: shop}\n"),
		Limits:         policy.Limits{Timeout: 10 * time.Second},
		OnResults: func(results []krmfilter.Result) {
			for _, r := range results {
				fmt.Printf("%s: %q\n", r.Severity, r.Message)
			}
		},
	}
	in := bytes.NewBufferString("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings # of the shop\ndata:\n  mode: fast\n")
	var out strings.Builder
	err = kio.Pipeline{
		Inputs:  []kio.Reader{&kio.ByteReader{Reader: in}},
		Filters: []kio.Filter{function},
		Outputs: []kio.Writer{kio.ByteWriter{Writer: &out}},
	}.Execute()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(out.String())
	// Output:
	// info: "labelled 1 resource"
	// apiVersion: v1
	// kind: ConfigMap
	// metadata:
	//   name: settings # of the shop
	//   labels:
	//     team: shop
	// data:
	//   mode: fast
}

// A function over the files of a package, which are changed in place.
func ExampleFilter_package() {
	dir, err := os.MkdirTemp("", "package")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	name := filepath.Join(dir, "settings.yaml")
	if err := os.WriteFile(name, []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {mode: fast} # or slow\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	judge, err := krmfilter.New(ctx, krmfilter.Config{Policy: krmfilter.Policy{Builtin: []string{"baseline"}}, AllowUnsigned: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = judge.Close() }()
	files := &kio.LocalPackageReadWriter{PackagePath: dir}
	err = kio.Pipeline{
		Inputs:  []kio.Reader{files},
		Filters: []kio.Filter{&krmfilter.Filter{Judge: judge, Context: ctx, Module: labels()}},
		Outputs: []kio.Writer{files},
	}.Execute()
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := os.ReadFile(name)
	fmt.Print(string(text), err)
	// Output:
	// apiVersion: v1
	// kind: ConfigMap
	// metadata: {name: settings, labels: {team: shop}}
	// data: {mode: fast} # or slow
	// <nil>
}

// A refusal has a code to branch on and says what helps. Nothing of the function's output comes back.
func ExampleRefusedError() {
	ctx := context.Background()
	judge, err := krmfilter.New(ctx, krmfilter.Config{
		Policy: krmfilter.Policy{Builtin: []string{"baseline"}},
		Trust: verify.TrustPolicy{Rules: []verify.Rule{{
			Match: []string{"**"}, Authorities: []verify.Authority{{Name: "acme", Key: &verify.Key{PEM: []byte(acmeKey)}}},
		}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = judge.Close() }()
	function := &krmfilter.Filter{Judge: judge, Context: ctx, Module: labels(), Name: "labels.wasm"}
	_, err = function.Filter(nil)
	var refused *krmfilter.RefusedError
	if errors.As(err, &refused) {
		fmt.Println(refused.Stage, refused.Code)
	}
	// Output: verify verify.no_evidence
}

const acmeKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAET/4jeN3KdEDvnfwQA6mlUJOJWCb8
vYnyohkNXRqBPsRcMwbC0oYbW7Iulnjuwd1YIFRPNteeHLZsyq6PR/9gWw==
-----END PUBLIC KEY-----
`
