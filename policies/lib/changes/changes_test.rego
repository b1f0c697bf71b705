package krmsafe.lib.changes_test

import data.krmsafe.lib.changes
import data.krmsafe.lib.fixture

ids(input_document) := {r.id | some r in changes.baseline with input as input_document}

refused(id, list) if ids(fixture.with_changes(list)) == {id}

allowed(list) if ids(fixture.with_changes(list)) == set()

change(resource, path, before, after) := fixture.change("replace", resource, path, before, after)

whole(op, resource, metadata) := fixture.change(op, resource, [], null, {"metadata": metadata}) if op == "add"

whole(op, resource, metadata) := fixture.change(op, resource, [], {"metadata": metadata}, null) if op == "remove"

new(resource, annotations) := whole("add", resource, {"annotations": annotations})

configmap := fixture.resource("", "ConfigMap")

test_label_allowed if ids(fixture.changes) == set()

test_nothing_changed_allowed if allowed([])

test_role_denied if ids(object.union(fixture.changes, {"function": {"role": ""}})) == {"output.role"}

test_new_configmap_allowed if allowed([new(configmap, {})])

test_new_without_metadata_allowed if allowed([fixture.change("add", configmap, [], null, {"data": {}})])

test_removal_denied if refused("output.removed", [whole("remove", configmap, {})])

test_removal_of_secret_denied_once if refused("output.removed", [whole("remove", fixture.resource("", "Secret"), {})])

test_removal_granted_allowed if {
	document := object.union(
		fixture.with_changes([whole("remove", configmap, {})]),
		{"granted": {"remove": [{"group": "", "kind": "ConfigMap"}]}},
	)
	ids(document) == set()
}

test_field_removal_allowed if allowed([fixture.change("remove", fixture.deployment, ["metadata", "labels", "app"], "web", null)])

test_identity_denied[pointer] if {
	some path in [["kind"], ["metadata", "name"], ["metadata", "namespace"]]
	pointer := concat("/", path)
	refused("output.identity", [change(fixture.deployment, path, "a", "b")])
}

test_identity_all_denied if count(test_identity_denied) == 3

test_namespace_granted_allowed if {
	document := object.union(
		fixture.with_changes([change(fixture.deployment, ["metadata", "namespace"], "a", "b")]),
		{"granted": {"only": ["namespace"]}},
	)
	ids(document) == set()
}

test_name_not_granted_by_namespace_denied if {
	document := object.union(
		fixture.with_changes([change(fixture.deployment, ["metadata", "name"], "a", "b")]),
		{"granted": {"only": ["namespace"]}},
	)
	ids(document) == {"output.identity"}
}

protected := {
	["rbac.authorization.k8s.io", "ClusterRoleBinding"],
	["rbac.authorization.k8s.io", "Role"],
	["admissionregistration.k8s.io", "MutatingWebhookConfiguration"],
	["apiregistration.k8s.io", "APIService"],
	["apiextensions.k8s.io", "CustomResourceDefinition"],
	["", "Secret"],
	["authorization.openshift.io", "ClusterRoleBinding"],
	["oauth.openshift.io", "OAuthClient"],
	["security.openshift.io", "SecurityContextConstraints"],
}

test_new_protected_denied if {
	every pair in protected {
		refused("output.protected", [new(fixture.resource(pair[0], pair[1]), {})])
	}
}

test_changed_protected_denied if {
	every pair in protected {
		refused("output.protected", [change(fixture.resource(pair[0], pair[1]), ["metadata", "labels", "a"], "b", "c")])
	}
}

# What stands beside a protected object is no worse for it.
test_protected_alone_denied if {
	document := fixture.with_changes([
		new(fixture.resource("rbac.authorization.k8s.io", "Role"), {}),
		change(configmap, ["data", "a"], "b", "c"),
		change(fixture.deployment, ["metadata", "labels", "a"], "b", "c"),
	])
	reasons := changes.baseline with input as document
	count(reasons) == 1
	ids(document) == {"output.protected"}
}

test_protected_granted_allowed if {
	every pair in protected {
		document := object.union(
			fixture.with_changes([new(fixture.resource(pair[0], pair[1]), {})]),
			{"granted": {"protected": [{"group": pair[0], "kind": pair[1]}]}},
		)
		ids(document) == set()
	}
}

test_other_group_is_not_protected_allowed if {
	allowed([new(fixture.resource("example.com", "Secret"), {})])
	allowed([new(fixture.resource("route.openshift.io", "Route"), {})])
}

functions := {"config.kubernetes.io/function", "config.k8s.io/function", "krmsafe.dev/function"}

test_planted_function_denied if {
	every key in functions {
		refused("output.function", [fixture.change("add", fixture.deployment, ["metadata", "annotations", key], null, "exec: {path: x}")])
	}
}

test_planted_function_in_new_object_denied if {
	every key in functions {
		refused("output.function", [new(configmap, {key: "exec: {path: x}"})])
	}
}

test_planted_function_in_new_annotations_denied if {
	refused("output.function", [fixture.change("add", fixture.deployment, ["metadata", "annotations"], null, {"config.kubernetes.io/function": "x"})])
}

test_planted_function_in_new_metadata_denied if {
	refused("output.function", [fixture.change("add", fixture.deployment, ["metadata"], null, {"annotations": {"config.kubernetes.io/function": "x"}})])
}

test_removed_function_denied if {
	refused("output.function", [fixture.change("remove", fixture.deployment, ["metadata", "annotations", "config.kubernetes.io/function"], "x", null)])
}

test_removed_annotations_with_function_denied if {
	refused("output.function", [fixture.change("remove", fixture.deployment, ["metadata", "annotations"], {"config.kubernetes.io/function": "x"}, null)])
}

test_reserved_annotation_denied if {
	every key in {
		"config.kubernetes.io/local-config", "internal.config.kubernetes.io/package-path", "config.k8s.io/id",
		"kustomize.config.k8s.io/behavior", "internal.config.kubernetes.io/id", "internal.kpt.dev/upstream-identifier", "krmsafe.dev/anything",
	} {
		refused("output.reserved_annotation", [change(fixture.deployment, ["metadata", "annotations", key], "a", "b")])
	}
}

test_move_allowed if {
	allowed([change(fixture.deployment, ["metadata", "annotations", "internal.config.kubernetes.io/path"], "a.yaml", "b/c.yaml")])
	allowed([change(fixture.deployment, ["metadata", "annotations", "config.kubernetes.io/path"], "a.yaml", "b/c.yaml")])
	allowed([change(fixture.deployment, ["metadata", "annotations", "config.kubernetes.io/index"], "0", "3")])
}

test_move_out_of_the_package_denied if {
	every path in {"../a.yaml", "/a.yaml", ".github/workflows/a.yaml", "a.sh", "kustomization.yaml"} {
		refused("output.path", [change(fixture.deployment, ["metadata", "annotations", "config.kubernetes.io/path"], "a.yaml", path)])
	}
}

test_move_to_an_odd_index_denied if {
	refused("output.path", [change(fixture.deployment, ["metadata", "annotations", "internal.config.kubernetes.io/index"], "0", "-1")])
}

test_path_made_up_or_taken_away_denied if {
	every key in {"internal.config.kubernetes.io/path", "config.kubernetes.io/path", "internal.config.kubernetes.io/index"} {
		refused("output.reserved_annotation", [fixture.change("add", fixture.deployment, ["metadata", "annotations", key], null, "a.yaml")])
		refused("output.reserved_annotation", [fixture.change("remove", fixture.deployment, ["metadata", "annotations", key], "a.yaml", null)])
	}
}

test_reserved_annotation_in_new_object_denied if {
	refused("output.reserved_annotation", [new(configmap, {"config.kubernetes.io/local-config": "true"})])
}

test_ordinary_annotation_allowed if allowed([change(fixture.deployment, ["metadata", "annotations", "example.com/team"], "a", "b")])

test_annotations_without_reserved_allowed if {
	allowed([fixture.change("add", fixture.deployment, ["metadata", "annotations"], null, {"example.com/team": "a"})])
}

steering := {
	["kustomize.config.k8s.io", "Kustomization"], ["kustomize.config.k8s.io", "Component"], ["kpt.dev", "Kptfile"],
	["", "List"], ["config.kubernetes.io", "ResourceList"], ["example.com", "Kustomization"],
	["config.kubernetes.io", "AnyKind"], ["config.k8s.io", "AnyKind"], ["kustomize.config.k8s.io", "AnyKind"],
}

test_steering_kind_denied if {
	every pair in steering {
		refused("output.kind", [new(fixture.resource(pair[0], pair[1]), {})])
		refused("output.kind", [change(fixture.resource(pair[0], pair[1]), ["x"], 1, 2)])
	}
}

test_list_by_another_name_denied if {
	refused("output.kind", [fixture.change("add", fixture.resource("", "ConfigMapList"), [], null, {"items": []})])
	refused("output.kind", [change(fixture.resource("", "ConfigMapList"), ["items", "[0]"], 1, 2)])
}

test_kind_that_ends_in_list_allowed if {
	allowed([fixture.change("add", fixture.resource("example.com", "AllowList"), [], null, {"spec": {}})])
	allowed([change(fixture.resource("example.com", "AllowList"), ["spec", "x"], 1, 2)])
}

test_path_allowed if {
	every path in {"a.yaml", "a/b/c.yml", "A1/b_c-d.e.yaml"} {
		allowed([new(configmap, {"internal.config.kubernetes.io/path": path, "config.kubernetes.io/path": path})])
	}
}

test_path_denied if {
	every path in {
		"../a.yaml", "/etc/a.yaml", "a/../b.yaml", "a//b.yaml", ".git/hooks/pre-commit", ".github/workflows/x.yaml", "a/.x.yaml", "a.sh",
		"C:\\x.yaml", "a\nb.yaml", "kustomization.yaml", "a/Kustomization.yml", "azure-pipelines.yml", "a/Chart.yaml", "docker-compose.yaml", "Kptfile", "kptfile.yaml", "", "a/", "~/a.yaml", "a b.yaml",
	} {
		refused("output.path", [new(configmap, {"internal.config.kubernetes.io/path": path})])
		refused("output.path", [new(configmap, {"config.kubernetes.io/path": path})])
	}
}

test_path_that_is_no_string_denied if refused("output.path", [new(configmap, {"config.kubernetes.io/path": 1})])

test_two_paths_denied if {
	refused("output.path", [new(configmap, {"internal.config.kubernetes.io/path": "a.yaml", "config.kubernetes.io/path": "b.yaml"})])
}

test_index_allowed if {
	every index in {"0", "7", "1000000"} {
		allowed([new(configmap, {"internal.config.kubernetes.io/index": index})])
	}
}

test_index_denied if {
	every index in {"-1", "01", "1000001", "x", "", "1e3", 7} {
		refused("output.path", [new(configmap, {"internal.config.kubernetes.io/index": index})])
	}
}

test_two_indexes_denied if {
	refused("output.path", [new(configmap, {"internal.config.kubernetes.io/index": "1", "config.kubernetes.io/index": "2"})])
}

test_validator_denied if {
	ids(object.union(fixture.changes, {"function": {"role": "validator"}})) == {"output.validator"}
}

test_validator_that_reorders_denied if {
	ids(object.union(fixture.with_changes([]), {"function": {"role": "validator"}, "summary": {"reordered": true}})) == {"output.validator"}
}

test_validator_allowed if {
	ids(object.union(fixture.with_changes([]), {"function": {"role": "validator"}})) == set()
}

test_generator_denied if {
	ids(object.union(fixture.changes, {"function": {"role": "generator"}})) == {"output.generator"}
}

test_generator_allowed if {
	ids(object.union(fixture.with_changes([new(configmap, {})]), {"function": {"role": "generator"}})) == set()
}

generating(annotations) := ids(object.union(fixture.with_changes([new(configmap, annotations)]), {"function": {"role": "generator"}}))

test_generator_that_asks_for_a_hash_allowed if {
	generating({"kustomize.config.k8s.io/needs-hash": "true", "kustomize.config.k8s.io/behavior": "create"}) == set()
}

test_generator_that_merges_denied if {
	every behavior in {"merge", "replace", "Create", ""} {
		generating({"kustomize.config.k8s.io/behavior": behavior}) == {"output.reserved_annotation"}
	}
}

test_generator_that_asks_for_something_else_denied if {
	generating({"kustomize.config.k8s.io/needs-hash": "yes"}) == {"output.reserved_annotation"}
}

test_transformer_that_asks_for_a_hash_denied if {
	refused("output.reserved_annotation", [new(configmap, {"kustomize.config.k8s.io/needs-hash": "true"})])
}

test_messages_name_resources if {
	document := fixture.with_changes([
		whole("remove", {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "shop", "name": "web"}, {}),
		whole("remove", {"group": "", "version": "v1", "kind": "Namespace", "namespace": "", "name": "shop"}, {}),
	])
	{r.message | some r in changes.removed with input as document} == {"Deployment.apps shop/web is removed", "Namespace shop is removed"}
}

in_namespace(namespace) := object.union(configmap, {"namespace": namespace})

body(namespace, value) := {
	"data": {"a": value},
	"metadata": {"name": "x", "namespace": namespace, "annotations": {"config.kubernetes.io/local-config": "true", "config.kubernetes.io/path": ".x/kustomization.yaml"}},
}

gone(namespace, value) := fixture.change("remove", in_namespace(namespace), [], body(namespace, value), null)

come(namespace, value) := fixture.change("add", in_namespace(namespace), [], null, body(namespace, value))

moving(granted, list) := ids(object.union(fixture.with_changes(list), {"granted": granted}))

test_move_denied if moving({"only": ["any"]}, [gone("a", 1), come("b", 1)]) == {"output.identity"}

test_move_granted_allowed if {
	moving({"only": ["namespace"]}, [gone("a", 1), come("b", 1)]) == set()
	moving({"only": ["any"], "remove": [{"group": "", "kind": "ConfigMap"}]}, [gone("a", 1), come("b", 1)]) == set()
}

test_two_moves_granted_allowed if {
	moving({"only": ["namespace"]}, [gone("a", 1), gone("b", 2), come("c", 1), come("d", 2)]) == set()
}

test_move_that_changes_more_denied if {
	"output.removed" in moving({"only": ["namespace"]}, [gone("a", 1), come("b", 2)])
	"output.reserved_annotation" in moving({"only": ["namespace"]}, [gone("a", 1), come("b", 2)])
	"output.path" in moving({"only": ["namespace"]}, [gone("a", 1), come("b", 2)])
}

test_move_that_loses_one_denied if {
	"output.removed" in moving({"only": ["namespace"]}, [gone("a", 1), gone("b", 1), come("c", 1)])
}

test_move_that_doubles_denied if {
	"output.removed" in moving({"only": ["namespace"]}, [gone("a", 1), come("b", 1), come("c", 1)])
}

test_removal_without_metadata_denied if refused("output.removed", [fixture.change("remove", configmap, [], {}, null)])

test_message_of_move if {
	messages := {r.message | some r in changes.identity with input as fixture.with_changes([gone("a", 1), come("b", 1)])}
	messages == {"ConfigMap a/x moves to another namespace"}
}

test_half_protected_allowed if {
	allowed([new(fixture.resource("apiextensions.k8s.io", "Other"), {})])
	allowed([new(fixture.resource("example.com", "CustomResourceDefinition"), {})])
}

test_reserved_annotation_of_a_template_allowed if {
	allowed([change(fixture.deployment, ["spec", "template", "metadata", "annotations", "config.kubernetes.io/x"], "a", "b")])
	allowed([change(fixture.deployment, ["metadata", "labels", "config.kubernetes.io/x"], "a", "b")])
	allowed([change(fixture.deployment, ["spec", "template"], {"config.kubernetes.io/x": 1}, {})])
}

test_ordinary_annotation_in_metadata_allowed if {
	allowed([fixture.change("add", fixture.deployment, ["metadata"], null, {"annotations": {"example.com/team": "a"}})])
	allowed([new(configmap, {"example.com/team": "a"})])
}

test_granted_removal_of_object_with_reserved_annotation_allowed if {
	document := object.union(
		fixture.with_changes([whole("remove", configmap, {"annotations": {"config.kubernetes.io/local-config": "true"}})]),
		{"granted": {"remove": [{"group": "", "kind": "ConfigMap"}]}},
	)
	ids(document) == set()
}

test_granted_removal_of_kustomization_allowed if {
	kustomization := fixture.resource("kustomize.config.k8s.io", "Kustomization")
	document := object.union(
		fixture.with_changes([whole("remove", kustomization, {})]),
		{"granted": {"remove": [{"group": "kustomize.config.k8s.io", "kind": "Kustomization"}]}},
	)
	ids(document) == set()
}

test_kustomize_group_denied if refused("output.kind", [new(fixture.resource("kustomize.config.k8s.io", "Anything"), {})])

test_items_of_no_list_allowed if {
	allowed([fixture.change("add", configmap, [], null, {"items": []})])
	allowed([change(configmap, ["items", "[0]"], 1, 2)])
}

test_annotations_elsewhere_allowed if allowed([change(fixture.deployment, ["spec", "annotations", "config.kubernetes.io/x"], 1, 2)])

test_long_path_denied if {
	long := concat("", [replace(sprintf("%1100s", ["a"]), " ", "a"), ".yaml"])
	refused("output.path", [new(configmap, {"config.kubernetes.io/path": long})])
}

test_generator_that_removes_denied if {
	document := object.union(
		fixture.with_changes([whole("remove", configmap, {})]),
		{"function": {"role": "generator"}, "granted": {"remove": [{"group": "", "kind": "ConfigMap"}]}},
	)
	ids(document) == {"output.generator"}
}

test_generator_that_adds_a_field_denied if {
	document := object.union(
		fixture.with_changes([fixture.change("add", fixture.deployment, ["metadata", "labels", "a"], null, "b")]),
		{"function": {"role": "generator"}},
	)
	ids(document) == {"output.generator"}
}

test_validator_that_removes_nothing_is_silent if {
	{r.message | some r in changes.validator with input as object.union(fixture.with_changes([]), {"function": {"role": "validator"}})} == set()
}

messages(list) := {r.message | some r in changes.protected with input as fixture.with_changes(list)}

test_messages_say_what_was_done if {
	secret := fixture.resource("", "Secret")
	messages([new(secret, {})]) == {"Secret shop/x is added, and its kind is protected"}
	messages([change(secret, ["data", "a"], "b", "c")]) == {"Secret shop/x is changed at /data/a, and its kind is protected"}
	{r.message | some r in changes.function with input as fixture.with_changes([fixture.change("remove", fixture.deployment, ["metadata", "annotations", "config.kubernetes.io/function"], "x", null)])} == {"Deployment.apps shop/web: annotation config.kubernetes.io/function is removed"}
}

test_move_that_changes_a_label_denied if {
	labelled := fixture.change("add", in_namespace("b"), [], null, object.union(body("b", 1), {"metadata": {"labels": {"a": "b"}}}))
	"output.removed" in moving({"only": ["namespace"]}, [gone("a", 1), labelled])
}

test_field_removed_from_protected_denied if {
	every pair in protected {
		refused("output.protected", [fixture.change("remove", fixture.resource(pair[0], pair[1]), ["metadata", "labels", "a"], "b", null)])
	}
}

test_field_removed_from_steering_denied if {
	every pair in steering {
		refused("output.kind", [fixture.change("remove", fixture.resource(pair[0], pair[1]), ["x"], 1, null)])
	}
}
