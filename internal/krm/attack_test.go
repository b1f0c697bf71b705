package krm_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// TestOutputAttacks carries out, one by one, what a hostile function can write, and sees it refused.
func TestOutputAttacks(t *testing.T) {
	t.Parallel()
	const in = pod + secret + `- apiVersion: v1
  kind: ConfigMap
  metadata: {name: placed, annotations: {config.kubernetes.io/path: was/here.yaml}}
- apiVersion: kustomize.config.k8s.io/v1beta1
  kind: Kustomization
  metadata: {name: k, annotations: {config.kubernetes.io/function: "wasip1: {file: f.wasm}"}}
- {apiVersion: v1, kind: Pod, metadata: {name: dp, namespace: default}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: there}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: there, namespace: elsewhere}}
- {apiVersion: v1, kind: Service, metadata: {name: h}}
- apiVersion: example.com/v1
  kind: AllowList
  metadata: {name: allowed}
  spec: {a: b}
`
	// What is planted inside another object, where kubectl and kustomize find it.
	const planted = `{apiVersion: v1, kind: ConfigMap, metadata: {name: own, annotations: {config.kubernetes.io/function: "exec: {path: ./x}"}}}`
	config := func(annotations string) string {
		return "- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: new\n    annotations:\n" + annotations
	}
	pathed := func(p string) string { return config("      internal.config.kubernetes.io/path: \"" + p + "\"\n") }
	for _, tt := range []struct {
		name, code string
		attack     func(shown string) string
	}{
		{"plants exec", "output.function_annotation", appended(config("      config.kubernetes.io/function: |\n        exec: {path: ./x}\n"))},
		{"plants legacy function", "output.function_annotation", appended(config("      config.k8s.io/function: x\n"))},
		{"plants legacy container", "output.function_annotation", appended(config("      config.kubernetes.io/container: x\n"))},
		{"plants krmsafe function", "output.function_annotation", appended(config("      krmsafe.dev/function: x\n"))},
		{"plants configFn", "output.function_annotation", appended("- {apiVersion: v1, kind: ConfigMap, metadata: {name: n, configFn: {container: {image: x}}}}\n")},
		{"plants exec on an old resource", "output.function_annotation", replaced("name: p # who", "name: p\n    annotations: {config.kubernetes.io/function: \"exec: {path: x}\"}")},
		{"plants exec under an escaped key", "output.function_annotation", replaced("name: p # who", "name: p\n    annotations: {\"config.kubernetes.io\\x2ffunction\": \"exec: {path: x}\"}")},
		{"changes the function of an old resource", "output.steering_object", replaced("f.wasm", "g.wasm")},
		{"adds a Kustomization", "output.steering_object", appended("- {apiVersion: kustomize.config.k8s.io/v1beta1, kind: Kustomization, metadata: {name: x}}\n")},
		{"adds a Component", "output.steering_object", appended("- {apiVersion: kustomize.config.k8s.io/v1alpha1, kind: Component, metadata: {name: x}}\n")},
		{"adds a Kptfile", "output.steering_object", appended("- {apiVersion: kpt.dev/v1, kind: Kptfile, metadata: {name: x}}\n")},
		{"adds a builtin", "output.steering_object", appended("- {apiVersion: builtin, kind: PatchTransformer, metadata: {name: x}}\n")},
		{"adds a List", "output.list", appended("- {apiVersion: v1, kind: List, items: []}\n")},
		{"adds a list of a kind of its own", "output.list", appended("- {apiVersion: example.com/v1, kind: WidgetList, metadata: {name: x}, items: [" + planted + "]}\n")},
		{"adds a list without items yet", "output.list", appended("- {apiVersion: example.com/v1, kind: WidgetList, metadata: {name: x}}\n")},
		{"adds an object with items", "output.list", appended("- {apiVersion: example.com/v1, kind: Widget, metadata: {name: x}, items: [" + planted + "]}\n")},
		{"adds an object with no items yet", "output.list", appended("- {apiVersion: example.com/v1, kind: Widget, metadata: {name: x}, items: []}\n")},
		{"adds an object with null for items", "output.list", appended("- {apiVersion: example.com/v1, kind: Widget, metadata: {name: x}, items: null}\n")},
		{"adds an object with items under an escaped key", "output.list", appended("- {apiVersion: example.com/v1, kind: Widget, metadata: {name: x}, \"it\\x65ms\": [" + planted + "]}\n")},
		{"adds an object with items under a tagged key", "output.list", appended("- {apiVersion: example.com/v1, kind: Widget, metadata: {name: x}, !!str items: [" + planted + "]}\n")},
		{"gives items to an old resource", "output.list", replaced("  spec:\n", "  items: ["+planted+"]\n  spec:\n")},
		{"gives items to an old list kind", "output.list", replaced("  metadata: {name: allowed}\n", "  metadata: {name: allowed}\n  items: ["+planted+"]\n")},
		{"gives items to a Secret", "output.list", replaced("  stringData:\n", "  items: ["+planted+"]\n  stringData:\n")},
		{"adds a ResourceList", "output.list", appended("- {apiVersion: config.kubernetes.io/v1, kind: ResourceList, items: []}\n")},
		{"adds a kind with a space", "output.item", appended("- {apiVersion: v1, kind: \"Secret \", metadata: {name: x}}\n")},
		{"adds a kind in small letters", "output.item", appended("- {apiVersion: v1, kind: secret, metadata: {name: x}}\n")},
		{"adds a kind with a line break", "output.control", appended("- {apiVersion: v1, kind: \"Secret\\n\", metadata: {name: x}}\n")},
		{"adds a group with an empty part", "output.item", appended("- {apiVersion: rbac..k8s.io/v1, kind: Role, metadata: {name: x}}\n")},
		{"adds a version in capitals", "output.item", appended("- {apiVersion: V1, kind: Secret, metadata: {name: x}}\n")},
		{"adds a version with a space", "output.item", appended("- {apiVersion: \"v1 \", kind: Secret, metadata: {name: x}}\n")},
		{"makes an old resource a builtin", "output.steering_object", replaced("apiVersion: v1\n  kind: Pod", "apiVersion: builtin\n  kind: Pod")},
		{"makes an old resource's version odd", "output.item", replaced("apiVersion: v1\n  kind: Pod", "apiVersion: \"v1 \"\n  kind: Pod")},
		{"makes an old resource's version odd by a slash", "output.item", replaced("apiVersion: v1\n  kind: Pod", "apiVersion: /v1\n  kind: Pod")},
		{"adds a group that begins with a slash", "output.item", appended("- {apiVersion: /v1, kind: Secret, metadata: {name: x}}\n")},
		{"adds a group in capitals", "output.item", appended("- {apiVersion: RBAC.authorization.k8s.io/v1, kind: Role, metadata: {name: x}}\n")},
		{"adds a group of two parts", "output.item", appended("- {apiVersion: rbac.authorization.k8s.io/v1/x, kind: Role, metadata: {name: x}}\n")},
		{"adds a kind of look-alike letters", "output.item", appended("- {apiVersion: v1, kind: S\u0435cret, metadata: {name: x}}\n")},
		{"path outside", "output.path", appended(pathed("../x.yaml"))},
		{"path outside, from within", "output.path", appended(pathed("a/../../x.yaml"))},
		{"absolute path", "output.path", appended(pathed("/etc/x.yaml"))},
		{"git hook", "output.path", appended(pathed(".git/hooks/pre-commit"))},
		{"workflow", "output.path", appended(pathed(".github/workflows/x.yaml"))},
		{"hidden folder within", "output.path", appended(pathed("a/.b/x.yaml"))},
		{"kustomization file", "output.path", appended(pathed("a/kustomization.yaml"))},
		{"kustomization file in capitals", "output.path", appended(pathed("a/Kustomization.YAML"))},
		{"kustomization, other case", "output.path", appended(pathed("KUSTOMIZATION.yaml"))},
		{"Kptfile", "output.path", appended(pathed("Kptfile"))},
		{"script", "output.path", appended(pathed("run.sh"))},
		{"windows path", "output.path", appended(pathed("C:\\\\x.yaml"))},
		{"windows device", "output.path", appended(pathed("CON.yaml"))},
		{"windows stream", "output.path", appended(pathed("x.yaml:y.yaml"))},
		{"windows trailing dot", "output.path", appended(pathed("a./x.yaml"))},
		{"newline in path", "output.path", appended(pathed("a\\nb.yaml"))},
		{"bidi in path", "output.path", appended(pathed("a\\u202eb.yaml"))},
		{"double slash", "output.path", appended(pathed("a//b.yaml"))},
		{"paths differ", "output.path", appended(config("      internal.config.kubernetes.io/path: a.yaml\n      config.kubernetes.io/path: b.yaml\n"))},
		{"negative index", "output.path", appended(config("      internal.config.kubernetes.io/index: \"-1\"\n"))},
		{"huge index", "output.path", appended(config("      config.kubernetes.io/index: \"1000001\"\n"))},
		{"index in hexadecimal", "output.path", appended(config("      config.kubernetes.io/index: \"0x1\"\n"))},
		{"moves a resource", "output.path", replaced("was/here.yaml", "now/here.yaml")},
		{"moves a resource, by a new annotation", "output.path", replaced("name: p # who", "name: p\n    annotations: {config.kubernetes.io/path: a.yaml}")},
		{"duplicate object", "output.duplicate", appended("- {apiVersion: v1, kind: Pod, metadata: {name: p}}\n")},
		{"duplicate new object", "output.duplicate", appended("- {apiVersion: v1, kind: Pod, metadata: {name: q}}\n- {apiVersion: v1beta1, kind: Pod, metadata: {name: q}}\n")},
		{"shadows an object by the namespace default", "output.duplicate", appended("- {apiVersion: v1, kind: Pod, metadata: {name: p, namespace: default}}\n")},
		{"shadows an object of the namespace default", "output.duplicate", appended("- {apiVersion: v1, kind: Pod, metadata: {name: dp}}\n")},
		{"shadows an object by an empty namespace", "output.duplicate", appended("- {apiVersion: v1, kind: Pod, metadata: {name: dp, namespace: \"\"}}\n")},
		{"shadows a new object", "output.duplicate", appended("- {apiVersion: v1, kind: Pod, metadata: {name: q}}\n- {apiVersion: v1, kind: Pod, metadata: {name: q, namespace: default}}\n")},
		{"moves an object to shadow another", "output.duplicate", replaced("namespace: elsewhere", "namespace: default")},
		{"shadows a hidden object", "output.duplicate", appended("- {apiVersion: v1, kind: Service, metadata: {name: h, namespace: default}}\n")},
		{"the same text twice", "output.duplicate", appended(pod)},
		{"copies a secret", "output.placeholder", copied(func(p string) string { return p })},
		{"copies a secret in a sentence", "output.placeholder", copied(func(p string) string { return "it is " + p + "!" })},
		{"copies a secret to another field of its object", "output.placeholder", func(shown string) string {
			return strings.Replace(shown, "\n  stringData:\n", "\n    other: "+placeholder(shown, "password")+"\n  stringData:\n", 1)
		}},
		{"swaps two values", "output.placeholder", func(shown string) string {
			a, b := placeholder(shown, "password"), placeholder(shown, "user")
			return strings.NewReplacer(a, b, b, a).Replace(shown)
		}},
		{"takes a copy of a secret from an annotation", "output.placeholder", func(shown string) string {
			return strings.Replace(shown, "name: p # who", "name: p\n    labels: {x: "+placeholder(shown, "  kapp.k14s.io/original")+"}", 1)
		}},
		{"moves a secret to another name", "output.placeholder", replaced("name: db\n", "name: db2\n")},
		{"moves a secret into a key", "output.placeholder", func(shown string) string {
			return strings.Replace(shown, "name: p # who", "name: p\n    labels: {\""+placeholder(shown, "note")+"\": x}", 1)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x := exchange(t, wrap(in), krm.View{Exclude: []krm.Selector{{Kind: "Service"}}})
			answer := tt.attack(string(x.Input()))
			if answer == string(x.Input()) {
				t.Fatal("the attack did nothing")
			}
			out, err := x.Output([]byte(answer), krm.DefaultLimits())
			oe, ok := errors.AsType[*krm.OutputError](err)
			if !ok || oe.Code != tt.code {
				t.Errorf("Output = %v, %v, want %s in\n%s", out, err, tt.code, answer)
			}
		})
	}
}

func appended(item string) func(string) string {
	return func(shown string) string { return shown + item }
}

func replaced(old, new string) func(string) string {
	return func(shown string) string { return strings.Replace(shown, old, new, 1) }
}

// copied puts what it makes of a placeholder into a pod's annotation.
func copied(disguise func(string) string) func(string) string {
	return func(shown string) string {
		return strings.Replace(shown, "name: p # who", "name: p\n    annotations:\n      x: '"+disguise(placeholder(shown, "password"))+"'", 1)
	}
}

// placeholder is the value that a function sees for a key of the Secret.
func placeholder(shown, key string) string {
	_, rest, _ := strings.Cut(shown, "\n    "+key+": ")
	value, _, _ := strings.Cut(rest, "\n")
	return value
}
