# METADATA
# title: "Policy for ghcr.io/acme/set-labels@sha256:1111111111111111111111111111111111111111111111111111111111111111"
# description: Drawn by krmsafe policy init from one module and what it did. Read it before you use it.
package krmsafe.admit

# Note: the function changes objects of the protected kind Secret

import data.krmsafe.lib.limits as budget
import data.krmsafe.lib.module
import data.krmsafe.lib.signature
import data.krmsafe.lib.source

default allow := false

allow if count(reasons) == 0

reasons contains r if some r in signature.required

reasons contains r if some r in signature.signers_outside([{"keyID": "sha256:2222"}])

reasons contains r if some r in source.outside(["ghcr.io/acme/set-labels"])

reasons contains r if some r in source.pinned

reasons contains r if some r in module.baseline

reasons contains r if some r in module.import_classes_outside({"fs", "random", "stdio"})

reasons contains r if some r in module.features_outside({"bulk-memory", "sign-extension"})

reasons contains r if some r in module.larger_than(5000000)

reasons contains r if some r in budget.exceeded(limits)

jail := "full"

view := {"secrets": "hidden"}

changes := {
	"only": [
		"fields",
		"generator",
		"images",
		"labels-and-annotations",
	],
	"add": [
		{
			"group": "",
			"kind": "ConfigMap",
		},
	],
	"remove": [
		{
			"group": "",
			"kind": "Service",
		},
	],
	"protected": [
		{
			"group": "",
			"kind": "Secret",
		},
	],
	"fields": [
		{
			"group": "",
			"kind": "Secret",
			"pointer": "/type",
		},
		{
			"group": "apps",
			"kind": "Deployment",
			"pointer": "/spec/template/spec/containers/*/env/*/value",
		},
	],
}

limits := {
	"memoryPages": 600,
	"tableElements": 4900,
	"callDepth": 1900,
	"fuel": 5000000000,
	"timeout": "10s",
	"compileTimeout": "5s",
	"compileBytes": 1073741824,
	"outputBytes": 400000,
	"stderrBytes": 4096,
}
