# METADATA
# title: Changes
# description: Rules over what a function changed. Together they are what krmsafe demands of an output by default.
package krmsafe.lib.changes

import data.krmsafe.lib.reason

# METADATA
# title: The rules of the baseline
# description: Every rule below.
baseline := unknown_role | removed | identity | protected | function | reserved | forbidden_kind | paths | validator | generator

# METADATA
# title: The function's role is known
# custom:
#   id: output.role
#   remedy: run the function as a transformer, a generator or a validator
unknown_role contains r if {
	not input.function.role in {"transformer", "generator", "validator"}
	r := reason.new(rego.metadata.rule(), sprintf("the function's role %q is unknown", [input.function.role]))
}

# METADATA
# title: Nothing is removed
# description: An object may go only where changes.remove of the admission policy lists its kind.
# custom:
#   id: output.removed
#   remedy: list the kind in changes.remove of the admission policy
removed contains r if {
	some c in _whole
	c.op == "remove"
	not granted(input.granted.remove, c.resource)
	not moved(c)
	r := reason.new(rego.metadata.rule(), sprintf("%s is removed", [name(c.resource)]))
}

# Changes of whole objects; most changes are of fields.
_whole := [c |
	some c in input.changes
	c.pointer == ""
]

# METADATA
# title: Identities stay
# description: The kind, name and namespace of an object stay as they are, unless the allowance namespace is granted.
# custom:
#   id: output.identity
#   remedy: keep kind, name and namespace, or grant the allowance namespace to a function that sets namespaces
identity contains r if {
	some message in _renamed
	r := reason.new(rego.metadata.rule(), message)
}

_renamed contains message if {
	some c in input.changes
	c.pointer in {"/kind", "/metadata/name", "/metadata/namespace"}
	not _namespace_granted(c)
	message := sprintf("%s: %s changes from %s to %s", [name(c.resource), c.pointer, json.marshal(c.before), json.marshal(c.after)])
}

_renamed contains message if {
	not "namespace" in input.granted.only
	some c in _whole
	c.op == "remove"
	moved(c)
	not granted(input.granted.remove, c.resource)
	message := sprintf("%s moves to another namespace", [name(c.resource)])
}

_namespace_granted(c) if {
	c.pointer == "/metadata/namespace"
	"namespace" in input.granted.only
}

# METADATA
# title: Whether a change is one half of a move to another namespace
# description: >-
#   An object is known by its namespace, so one that moves goes and comes as a whole. It moves if all of it but the
#   namespace is the same on both sides, and as many come as go.
moved(c) if {
	c.op == "remove"
	c.pointer == ""
	some other in _added[_key(c)]
	_same_but_namespace(c.before, other.after)
	count(_added[_key(c)]) == count(_removed[_key(c)])
}

moved(c) if {
	c.op == "add"
	c.pointer == ""
	some other in _removed[_key(c)]
	_same_but_namespace(other.before, c.after)
	count(_added[_key(c)]) == count(_removed[_key(c)])
}

_added[key] contains c if {
	some c in _whole
	c.op == "add"
	key := _key(c)
}

_removed[key] contains c if {
	some c in _whole
	c.op == "remove"
	key := _key(c)
}

_key(c) := [c.resource.group, c.resource.kind, c.resource.name]

_same_but_namespace(a, b) if {
	object.remove(a, ["metadata"]) == object.remove(b, ["metadata"])
	object.remove(a.metadata, ["namespace"]) == object.remove(b.metadata, ["namespace"])
}

# METADATA
# title: Protected kinds stay
# description: >-
#   RBAC (OpenShift's too), admission webhooks, API services, CRDs and Secrets are neither added nor changed, unless
#   changes.protected of the admission policy lists the kind.
# custom:
#   id: output.protected
#   remedy: keep the resource from the function (--exclude-kind), or list its kind in changes.protected of your policy (--policy)
protected contains r if {
	some c in _of(_protected_kinds)
	not _whole_removal(c)
	not granted(input.granted.protected, c.resource)
	r := reason.new(rego.metadata.rule(), sprintf("%s is %s, and its kind is protected", [name(c.resource), _where(c)]))
}

_protected_kinds := {k |
	some k in _kinds
	is_protected({"group": k[0], "kind": k[1]})
}

# The kinds of what changed: they are few where the changes are many.
_kinds := {[c.resource.group, c.resource.kind] | some c in input.changes}

_of(kinds) := [] if count(kinds) == 0

_of(kinds) := [c | some c in input.changes; [c.resource.group, c.resource.kind] in kinds] if count(kinds) > 0

# METADATA
# title: Kinds that give power over a cluster or hold what is secret
is_protected(resource) if resource.group in _powerful_groups

is_protected(resource) if {
	resource.group == "apiextensions.k8s.io"
	resource.kind == "CustomResourceDefinition"
}

is_protected(resource) if {
	resource.group == ""
	resource.kind == "Secret"
}

# Roles, bindings, admission, API services, and what OpenShift has for roles,
# identities and security context constraints.
_powerful_groups := {
	"rbac.authorization.k8s.io", "admissionregistration.k8s.io", "apiregistration.k8s.io",
	"authorization.openshift.io", "oauth.openshift.io", "security.openshift.io",
}

# METADATA
# title: No function is planted
# description: An annotation by which kustomize, kpt or krmsafe would run a function is neither added, changed nor removed.
# custom:
#   id: output.function
#   remedy: declare functions in the package, not in the output of another function
function contains r if {
	some [c, key] in _reserved_keys
	key in _function_keys
	r := reason.new(rego.metadata.rule(), sprintf("%s: annotation %s is %s", [name(c.resource), key, _done(c)]))
}

_function_keys := {"config.kubernetes.io/function", "config.k8s.io/function", "krmsafe.dev/function"}

# METADATA
# title: Reserved annotations stay
# description: >-
#   Annotations that steer tools stay as they are. A new object may say where it is to be written, and a generator's that
#   kustomize is to add a hash to its name; not that it merges with another or replaces it. That an object is
#   written to another file is told only where the operator lets functions move objects (--allow-move).
# custom:
#   id: output.reserved_annotation
#   remedy: leave annotations of config.kubernetes.io, internal.config.kubernetes.io, config.k8s.io, kustomize.config.k8s.io and krmsafe.dev as they are
reserved contains r if {
	some [c, key] in _reserved_keys
	not key in _function_keys
	not _places_new(c, key)
	not _moves(c, key)
	not _for_kustomize(c, key)
	r := reason.new(rego.metadata.rule(), sprintf("%s: reserved annotation %s is %s", [name(c.resource), key, _done(c)]))
}

_places_new(c, key) if {
	c.pointer == ""
	key in path_keys | index_keys
}

# An object goes from one file to another: without --allow-move krmsafe refuses that before any policy.
_moves(c, key) if {
	c.op == "replace"
	c.path == ["metadata", "annotations", key]
	key in path_keys | index_keys
	is_string(c.before)
	is_string(c.after)
}

# A generator tells kustomize how to name what it made. That it makes something new is what kustomize takes for granted.
_for_kustomize(c, key) if {
	input.function.role == "generator"
	c.op == "add"
	c.pointer == ""
	c.after.metadata.annotations[key] in _words_for_kustomize[key]
}

_words_for_kustomize := {
	"kustomize.config.k8s.io/needs-hash": {"true", "false"},
	"kustomize.config.k8s.io/behavior": {"create"},
}

path_keys := {"internal.config.kubernetes.io/path", "config.kubernetes.io/path"}

index_keys := {"internal.config.kubernetes.io/index", "config.kubernetes.io/index"}

_reserved_prefixes := [
	"config.kubernetes.io/", "internal.config.kubernetes.io/", "config.k8s.io/", "kustomize.config.k8s.io/",
	"internal.kpt.dev/", "krmsafe.dev/",
]

# Pairs of a change and a reserved annotation that it touches: by its own path,
# or inside a value that comes or goes as a whole.
_reserved_keys contains [c, key] if {
	some c in input.changes
	c.path[0] == "metadata"
	c.path[1] == "annotations"
	key := c.path[2]
	strings.any_prefix_match(key, _reserved_prefixes)
}

_reserved_keys contains [c, key] if {
	some c in input.changes
	c.pointer == "/metadata/annotations"
	some side in [c.before, c.after]
	some key in _keys(side)
	strings.any_prefix_match(key, _reserved_prefixes)
}

_reserved_keys contains [c, key] if {
	some c in input.changes
	c.pointer == "/metadata"
	some side in [c.before, c.after]
	some key in _annotation_keys(side)
	strings.any_prefix_match(key, _reserved_prefixes)
}

_reserved_keys contains [c, key] if {
	some c in _whole
	c.op != "remove"
	not moved(c)
	some key in _annotation_keys(c.after.metadata)
	strings.any_prefix_match(key, _reserved_prefixes)
}

_annotation_keys(metadata) := _keys(object.get(metadata, "annotations", {})) if metadata != null

_keys(value) := {key | some key, _ in value} if value != null

# METADATA
# title: No object steers tools
# description: Kustomizations, Kptfiles and lists are neither added nor changed; they would choose code, or hide objects.
# custom:
#   id: output.kind
#   remedy: return each object on its own, and no Kustomization, Component, Kptfile or List
forbidden_kind contains r if {
	some c in _of(_steering_kinds)
	_steers(c)
	not _whole_removal(c)
	r := reason.new(rego.metadata.rule(), sprintf("%s is %s", [name(c.resource), _done(c)]))
}

# Those of which _steers may hold.
_steering_kinds := {k |
	some k in _kinds
	true in {k[0] in _steering_groups, k[1] in _steering_types, endswith(k[1], "List")}
}

_steers(c) if c.resource.group in _steering_groups

_steers(c) if c.resource.kind in _steering_types

_steering_groups := {"kustomize.config.k8s.io", "config.kubernetes.io", "config.k8s.io"}

_steering_types := {"Kustomization", "Component", "Kptfile", "ResourceList", "List"}

# kustomize takes any kind that ends in List for one, if it has items.
_steers(c) if {
	endswith(c.resource.kind, "List")
	c.pointer == ""
	"items" in object.keys(c.after)
}

_steers(c) if {
	endswith(c.resource.kind, "List")
	c.path[0] == "items"
}

# METADATA
# title: New objects stay in the package
# description: >-
#   The path of a new object, or of one that goes to another file, is relative, of plain names, and ends in .yaml or .yml. It is no dot-file, lies in no
#   dot-folder such as .github/workflows, and has no name that a tool acts on, such as kustomization.yaml or
#   azure-pipelines.yml. Both path annotations agree.
# custom:
#   id: output.path
#   remedy: write new objects to plain .yaml files inside the package
paths contains r if {
	some message in _misplaced
	r := reason.new(rego.metadata.rule(), message)
}

_misplaced contains message if {
	some [c, annotations] in _new_annotations
	some key in path_keys
	path := annotations[key]
	not _plain(path)
	message := sprintf("%s is written to %s", [name(c.resource), json.marshal(path)])
}

_misplaced contains message if {
	some [c, annotations] in _new_annotations
	some key in index_keys
	index := annotations[key]
	not _small_index(index)
	message := sprintf("%s has the index %s in its file", [name(c.resource), json.marshal(index)])
}

_misplaced contains message if {
	some [c, annotations] in _new_annotations
	some keys in [path_keys, index_keys]
	count({annotations[key] | some key in keys}) > 1
	message := sprintf("%s says two different places by its annotations", [name(c.resource)])
}

_misplaced contains message if {
	some [c, key] in _reserved_keys
	key in path_keys
	_moves(c, key)
	not _plain(c.after)
	message := sprintf("%s is moved to %s", [name(c.resource), json.marshal(c.after)])
}

_misplaced contains message if {
	some [c, key] in _reserved_keys
	key in index_keys
	_moves(c, key)
	not _small_index(c.after)
	message := sprintf("%s is moved to the index %s of its file", [name(c.resource), json.marshal(c.after)])
}

_new_annotations contains [c, annotations] if {
	some c in _whole
	c.op != "remove"
	not moved(c)
	annotations := object.get(object.get(c.after, "metadata", {}), "annotations", {})
	count(annotations) > 0
}

_plain(path) if {
	is_string(path)
	count(path) <= 1024
	regex.match(`^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*\.ya?ml$`, path)
	segments := split(lower(path), "/")
	name := trim_suffix(trim_suffix(segments[count(segments) - 1], ".yml"), ".yaml")
	not name in _steering_names
}

# Files that tools act on by their name alone; .github and the like are
# dot-folders.
_steering_names := {
	"action", "appveyor", "argocd-application", "azure-pipelines", "bitbucket-pipelines", "buildspec", "chart", "cloudbuild", "compose",
	"docker-compose", "helmfile", "kptfile", "kustomization", "skaffold",
}

_small_index(index) if {
	is_string(index)
	regex.match(`^(0|[1-9][0-9]{0,5}|1000000)$`, index)
}

# METADATA
# title: Validators change nothing
# custom:
#   id: output.validator
#   remedy: run the function as a transformer, if it is meant to change something
validator contains r if {
	input.function.role == "validator"
	some message in _changed
	r := reason.new(rego.metadata.rule(), message)
}

_changed contains message if {
	n := count(input.changes)
	n > 0
	message := sprintf("a validator made %d changes, the first to %s", [n, name(input.changes[0].resource)])
}

_changed contains "a validator put resources in another order" if input.summary.reordered

# METADATA
# title: Generators only add
# custom:
#   id: output.generator
#   remedy: run the function as a transformer, if it is meant to change what is there
generator contains r if {
	input.function.role == "generator"
	some c in input.changes
	not _whole_addition(c)
	r := reason.new(rego.metadata.rule(), sprintf("a generator changes %s at %q", [name(c.resource), c.pointer]))
}

_whole_addition(c) if {
	c.op == "add"
	c.pointer == ""
}

_whole_removal(c) if {
	c.op == "remove"
	c.pointer == ""
}

# METADATA
# title: Whether a list of kinds holds a resource's kind
granted(kinds, resource) if {"group": resource.group, "kind": resource.kind} in kinds

# METADATA
# title: A resource for a person to read
name(resource) := sprintf("%s %s", [_kind(resource), resource.name]) if resource.namespace == ""

name(resource) := sprintf("%s %s/%s", [_kind(resource), resource.namespace, resource.name]) if resource.namespace != ""

_kind(resource) := resource.kind if resource.group == ""

_kind(resource) := sprintf("%s.%s", [resource.kind, resource.group]) if resource.group != ""

_done(c) := {"add": "added", "remove": "removed", "replace": "changed"}[c.op] if _exact(c)

_done(c) := sprintf("changed at %s", [c.pointer]) if not _exact(c)

_where(c) := _done(c) if c.pointer == ""

_where(c) := sprintf("changed at %s", [c.pointer]) if c.pointer != ""

# A change to a whole object or to one annotation is named by its operation.
_exact(c) if c.pointer == ""

_exact(c) if startswith(c.pointer, "/metadata/annotations/")
