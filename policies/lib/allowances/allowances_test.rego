package krmsafe.lib.allowances_test

import data.krmsafe.lib.allowances
import data.krmsafe.lib.fixture

ids(granted, list) := {r.id | some r in allowances.bounds with input as object.union(fixture.with_changes(list), {"granted": granted})}

at(path) := fixture.change("replace", fixture.deployment, path, "1", "2")

on(resource, path) := fixture.change("replace", resource, path, 1, 2)

allowed(name, path) if ids({"only": [name]}, [at(path)]) == set()

denied(name, path) if ids({"only": [name]}, [at(path)]) == {"output.outside_allowance"}

test_any_allowed if ids({"only": ["any"]}, [at(["spec", "x"])]) == set()

test_none_denied if ids({"only": []}, [at(["spec", "x"])]) == {"output.outside_allowance"}

test_nothing_changed_allowed if ids({"only": []}, []) == set()

test_unknown_denied if ids({"only": ["all"]}, []) == {"output.unknown_allowance"}

test_labels_and_annotations_allowed if {
	every path in [
		["metadata", "labels", "app"], ["metadata", "annotations", "a"], ["spec", "template", "metadata", "labels", "app"],
		["spec", "jobTemplate", "metadata", "annotations", "a"], ["spec", "jobTemplate", "spec", "template", "metadata", "labels", "app"],
		["spec", "volumeClaimTemplates", "[metadata.name=x]", "metadata", "labels", "app"],
	] {
		allowed("labels-and-annotations", path)
	}
}

template_metadata(value) := fixture.change("add", fixture.deployment, ["spec", "template", "metadata"], null, value)

only_labels := ["labels-and-annotations"]

labels_to(op, path, value) := ids({"only": only_labels}, [fixture.change(op, fixture.deployment, path, {"a": "b"}, value)])

test_strings_allowed if {
	every path in [
		["metadata", "labels"], ["spec", "template", "metadata", "annotations"],
		["spec", "volumeClaimTemplates", "[metadata.name=x]", "metadata", "labels"],
	] {
		labels_to("replace", path, {"a": "c"}) == set()
		labels_to("add", path, {}) == set()
		labels_to("remove", path, null) == set()
		labels_to("remove", array.concat(path, ["a"]), null) == set()
		labels_to("replace", array.concat(path, ["a"]), "c") == set()
	}
}

test_what_is_no_string_denied if {
	every path in [
		["metadata", "labels"], ["spec", "template", "metadata", "annotations"],
		["spec", "volumeClaimTemplates", "[metadata.name=x]", "metadata", "labels"],
	] {
		every value in [null, {"a": {"b": "c"}}, {"a": 1}, {"a": null}, ["a"], "a", 1] {
			labels_to("replace", path, value) == {"output.outside_allowance"}
		}
		every value in [null, {"b": "c"}, {}, ["c"], 1, true] {
			labels_to("add", array.concat(path, ["a"]), value) == {"output.outside_allowance"}
		}
		every op in ["add", "remove", "replace"] {
			labels_to(op, array.concat(path, ["a", "b"]), "c") == {"output.outside_allowance"}
		}
	}
}

test_new_template_metadata_of_no_strings_denied if {
	every value in [{"labels": {"a": {"b": "c"}}}, {"annotations": {"a": 1}}, {"labels": null}, {"labels": "a"}, ["labels"], "labels", null] {
		ids({"only": only_labels}, [template_metadata(value)]) == {"output.outside_allowance"}
	}
}

test_new_template_metadata_of_labels_allowed if {
	document := object.union(
		fixture.with_changes([template_metadata({"labels": {"a": "b"}, "annotations": {}})]),
		{"granted": {"only": only_labels}},
	)
	count(allowances.bounds) == 0 with input as document
}

test_new_template_metadata_of_more_denied if {
	document := object.union(
		fixture.with_changes([template_metadata({"labels": {"a": "b"}, "finalizers": []})]),
		{"granted": {"only": only_labels}},
	)
	{r.id | some r in allowances.bounds with input as document} == {"output.outside_allowance"}
}

test_labels_and_annotations_denied if {
	every path in [
		["metadata", "name"], ["metadata", "finalizers"], ["spec", "selector", "matchLabels", "app"], ["spec", "template", "metadata", "name"],
		["data", "metadata", "labels"], ["spec", "metadata", "labels"], ["metadata"],
	] {
		denied("labels-and-annotations", path)
	}
}

test_images_allowed if {
	every path in [
		["spec", "template", "spec", "containers", "[name=web]", "image"], ["spec", "containers", "[name=web]", "image"],
		["spec", "template", "spec", "initContainers", "[0]", "image"], ["spec", "ephemeralContainers", "[0]", "image"],
	] {
		allowed("images", path)
	}
}

test_images_denied if {
	every path in [
		["spec", "template", "spec", "containers", "[name=web]", "command"], ["spec", "template", "spec", "containers", "[name=web]"],
		["image"], ["data", "containers", "x", "image"], ["spec", "image"],
	] {
		denied("images", path)
	}
}

test_resources_and_replicas_allowed if {
	allowed("resources-and-replicas", ["spec", "replicas"])
	allowed("resources-and-replicas", ["spec", "template", "spec", "containers", "[name=web]", "resources", "limits", "cpu"])
	allowed("resources-and-replicas", ["spec", "template", "spec", "initContainers", "[name=web]", "resources"])
	ids({"only": ["resources-and-replicas"]}, [on(fixture.resource("autoscaling", "HorizontalPodAutoscaler"), ["spec", "maxReplicas"])]) == set()
}

test_resources_and_replicas_denied if {
	denied("resources-and-replicas", ["spec", "maxReplicas"])
	denied("resources-and-replicas", ["spec", "template", "spec", "containers", "[name=web]", "image"])
	denied("resources-and-replicas", ["metadata", "containers", "x", "resources"])
}

test_namespace_allowed if {
	allowed("namespace", ["metadata", "namespace"])
	ids({"only": ["namespace"]}, [on(fixture.resource("rbac.authorization.k8s.io", "RoleBinding"), ["subjects", "[0]", "namespace"])]) == set()
}

test_move_allowed if {
	body := {"metadata": {"name": "x"}}
	moves := [
		fixture.change("remove", fixture.resource("", "ConfigMap"), [], object.union(body, {"metadata": {"namespace": "a"}}), null),
		fixture.change("add", fixture.resource("", "ConfigMap"), [], null, object.union(body, {"metadata": {"namespace": "b"}})),
	]
	ids({"only": ["namespace"]}, moves) == set()
	ids({"only": ["images"]}, moves) == {"output.outside_allowance"}
}

test_namespace_denied if {
	denied("namespace", ["metadata", "name"])
	denied("namespace", ["subjects", "[0]", "namespace"])
	ids({"only": ["namespace"]}, [on(fixture.resource("rbac.authorization.k8s.io", "RoleBinding"), ["subjects", "[0]", "name"])]) == {"output.outside_allowance"}
}

new(kind) := fixture.change("add", fixture.resource("", kind), [], null, {})

test_generator_allowed if ids({"only": ["generator"], "add": [{"group": "", "kind": "ConfigMap"}]}, [new("ConfigMap")]) == set()

test_generator_denied if {
	ids({"only": ["generator"], "add": [{"group": "", "kind": "ConfigMap"}]}, [new("Service")]) == {"output.outside_allowance"}
	ids({"only": ["generator"], "add": [{"group": "apps", "kind": "ConfigMap"}]}, [new("ConfigMap")]) == {"output.outside_allowance"}
	ids({"only": ["generator"], "add": [{"group": "apps", "kind": "Deployment"}]}, [at(["spec", "x"])]) == {"output.outside_allowance"}
}

fields := [
	{"group": "apps", "kind": "Deployment", "pointer": "/spec/template/spec/containers/*/env"},
	{"group": "apps", "kind": "Deployment", "pointer": "/metadata/annotations/example.com~1team"},
]

test_fields_allowed if {
	every path in [
		["spec", "template", "spec", "containers", "[name=web]", "env"],
		["spec", "template", "spec", "containers", "[name=web]", "env", "[name=A]", "value"],
		["metadata", "annotations", "example.com/team"],
	] {
		ids({"only": ["fields"], "fields": fields}, [at(path)]) == set()
	}
}

test_fields_denied if {
	every path in [
		["spec", "template", "spec", "containers"], ["spec", "template", "spec", "containers", "[name=web]", "envFrom"],
		["metadata", "annotations", "example.com/other"], [],
	] {
		ids({"only": ["fields"], "fields": fields}, [at(path)]) == {"output.outside_allowance"}
	}
}

test_fields_of_another_kind_denied if {
	change := on(fixture.resource("apps", "StatefulSet"), ["metadata", "annotations", "example.com/team"])
	ids({"only": ["fields"], "fields": fields}, [change]) == {"output.outside_allowance"}
}

test_granted_removal_allowed if {
	removal := fixture.change("remove", fixture.deployment, [], {}, null)
	ids({"only": ["images"], "remove": [{"group": "apps", "kind": "Deployment"}]}, [removal]) == set()
	ids({"only": ["images"]}, [removal]) == {"output.outside_allowance"}
}

test_two_allowances_allowed if {
	ids({"only": ["images", "namespace"]}, [at(["metadata", "namespace"]), at(["spec", "containers", "[0]", "image"])]) == set()
}

# A change that each allowance holds; no other allowance holds it.
samples := {
	"labels-and-annotations": at(["metadata", "labels", "app"]),
	"images": at(["spec", "containers", "[name=web]", "image"]),
	"resources-and-replicas": at(["spec", "replicas"]),
	"namespace": at(["metadata", "namespace"]),
	"generator": new("ConfigMap"),
	"fields": at(["spec", "paused"]),
}

grant(name) := {
	"only": [name], "add": [{"group": "", "kind": "ConfigMap"}],
	"fields": [{"group": "apps", "kind": "Deployment", "pointer": "/spec/paused"}],
}

test_each_allowance_holds_its_own_only if {
	every name, _ in samples {
		every other, change in samples {
			expected := {id | id := "output.outside_allowance"; name != other}
			ids(grant(name), [change]) == expected
		}
	}
}

test_labels_elsewhere_denied if {
	every path in [
		["spec", "template", "labels", "app"], ["status", "template", "metadata", "labels", "app"], ["spec", "other", "metadata", "labels"],
		["spec", "template", "spec", "labels"], ["spec", "volumeClaimTemplates", "[0]", "spec", "labels"], ["spec", "volumeClaimTemplates", "[0]", "metadata", "name"],
		["spec", "other", "[0]", "metadata", "labels"], ["status", "volumeClaimTemplates", "[0]", "metadata", "labels"], ["status", "labels"],
		["spec", "volumeClaimTemplates", "[0]", "status", "labels"],
	] {
		denied("labels-and-annotations", path)
	}
}

test_autoscaler_denied if {
	every resource in [fixture.resource("example.com", "HorizontalPodAutoscaler"), fixture.resource("autoscaling", "Other")] {
		ids({"only": ["resources-and-replicas"]}, [on(resource, ["spec", "maxReplicas"])]) == {"output.outside_allowance"}
	}
	ids({"only": ["resources-and-replicas"]}, [on(fixture.resource("autoscaling", "HorizontalPodAutoscaler"), ["spec", "metrics"])]) == {"output.outside_allowance"}
}

test_resources_of_no_container_denied if denied("resources-and-replicas", ["spec", "volumes", "[name=x]", "resources"])

test_namespace_elsewhere_in_a_binding_denied if {
	binding := fixture.resource("rbac.authorization.k8s.io", "RoleBinding")
	every path in [["others", "[0]", "namespace"], ["subjects", "[0]", "namespace", "x"]] {
		ids({"only": ["namespace"]}, [on(binding, path)]) == {"output.outside_allowance"}
	}
}

test_change_of_a_granted_kind_denied if {
	changed := on(fixture.resource("", "ConfigMap"), ["data", "a"])
	ids({"only": ["generator"], "add": [{"group": "", "kind": "ConfigMap"}]}, [changed]) == {"output.outside_allowance"}
	field := fixture.change("add", fixture.resource("", "ConfigMap"), ["data", "a"], null, "b")
	ids({"only": ["generator"], "add": [{"group": "", "kind": "ConfigMap"}]}, [field]) == {"output.outside_allowance"}
	removed := fixture.change("remove", fixture.resource("", "ConfigMap"), [], {}, null)
	ids({"only": ["generator"], "add": [{"group": "", "kind": "ConfigMap"}]}, [removed]) == {"output.outside_allowance"}
}

test_granted_removal_is_of_whole_objects_denied if {
	granted := {"only": ["images"], "remove": [{"group": "apps", "kind": "Deployment"}]}
	ids(granted, [fixture.change("remove", fixture.deployment, ["spec", "x"], 1, null)]) == {"output.outside_allowance"}
	ids(granted, [fixture.change("add", fixture.deployment, [], null, {})]) == {"output.outside_allowance"}
}

test_fields_of_another_group_denied if {
	change := on(fixture.resource("example.com", "Deployment"), ["metadata", "annotations", "example.com/team"])
	ids({"only": ["fields"], "fields": fields}, [change]) == {"output.outside_allowance"}
}

test_field_above_a_granted_one_denied if {
	ids({"only": ["fields"], "fields": [{"group": "apps", "kind": "Deployment", "pointer": "/a/*"}]}, [at(["a"])]) == {"output.outside_allowance"}
}

template(op, path, after) := ids({"only": ["labels-and-annotations"]}, [fixture.change(op, fixture.deployment, path, null, after)])

test_new_template_metadata_allowed if {
	template("add", ["spec", "template", "metadata"], {"labels": {"a": "b"}}) == set()
	template("add", ["spec", "jobTemplate", "metadata"], {"annotations": {"a": "b"}}) == set()
}

test_new_template_metadata_denied if {
	outside := {"output.outside_allowance"}
	template("add", ["spec", "template", "metadata"], {"labels": {}, "name": "x"}) == outside
	template("replace", ["spec", "template", "metadata"], {"labels": {}}) == outside
	template("add", ["spec", "template", "other"], {"labels": {}}) == outside
	template("add", ["spec", "other", "metadata"], {"labels": {}}) == outside
	template("add", ["status", "template", "metadata"], {"labels": {}}) == outside
}
