# METADATA
# title: Allowances
# description: >-
#   Ready-made bounds on what a function may change, by name. The admission policy grants them in changes.only; every
#   change must then fit one of them. They come on top of the rules on changes and lift none of these, but for
#   namespace, which lets metadata.namespace change.
package krmsafe.lib.allowances

import data.krmsafe.lib.changes
import data.krmsafe.lib.reason

# METADATA
# title: The allowances there are
# description: "any sets no bound; generator holds additions of the kinds in changes.add, fields the fields in changes.fields."
names := {"any", "labels-and-annotations", "images", "resources-and-replicas", "namespace", "generator", "fields"}

# METADATA
# title: Both rules
bounds := unknown | outside

# METADATA
# title: Every granted allowance exists
# custom:
#   id: output.unknown_allowance
#   remedy: "name allowances of data.krmsafe.lib.allowances: any, labels-and-annotations, images, resources-and-replicas, namespace, generator, fields"
unknown contains r if {
	some allowance in input.granted.only
	not allowance in names
	r := reason.new(rego.metadata.rule(), sprintf("there is no allowance %q", [allowance]))
}

# METADATA
# title: Every change fits an allowance
# description: Removals of whole objects are left to changes.remove.
# custom:
#   id: output.outside_allowance
#   remedy: grant the allowance that fits in changes.only of the admission policy, or the field in changes.fields
outside contains r if {
	not "any" in input.granted.only
	some c in input.changes
	not fits(c)
	r := reason.new(rego.metadata.rule(), sprintf(
		"%s: %s of %q fits none of the granted allowances %s",
		[changes.name(c.resource), c.op, c.pointer, json.marshal(input.granted.only)],
	))
}

# METADATA
# title: Whether a granted allowance holds a change
fits(c) if {
	"labels-and-annotations" in input.granted.only
	labels_and_annotations(c)
}

fits(c) if {
	"images" in input.granted.only
	images(c)
}

fits(c) if {
	"resources-and-replicas" in input.granted.only
	resources_and_replicas(c)
}

fits(c) if {
	"namespace" in input.granted.only
	namespace(c)
}

fits(c) if {
	"generator" in input.granted.only
	generator(c)
}

fits(c) if {
	"fields" in input.granted.only
	fields(c)
}

fits(c) if {
	c.op == "remove"
	c.pointer == ""
	changes.granted(input.granted.remove, c.resource)
}

# METADATA
# title: Labels and annotations only
# description: >-
#   Of an object and of the pods, jobs and claims it makes. Selectors are not labels, and a label or an annotation is a
#   string: nothing of another shape can hide under one.
labels_and_annotations(c) if {
	c.path[0] == "metadata"
	_strings_at(c, 1)
}

labels_and_annotations(c) if {
	c.path[0] == "spec"
	some i, segment in c.path
	segment == "metadata"
	c.path[i - 1] in {"template", "jobTemplate"}
	_strings_at(c, i + 1)
}

labels_and_annotations(c) if {
	c.path[0] == "spec"
	c.path[1] == "volumeClaimTemplates"
	c.path[3] == "metadata"
	_strings_at(c, 4)
}

# A template without metadata gets one that holds nothing else.
labels_and_annotations(c) if {
	n := count(c.path)
	c.op == "add"
	c.path[0] == "spec"
	c.path[n - 1] == "metadata"
	c.path[n - 2] in {"template", "jobTemplate"}
	is_object(c.after)
	every key, value in c.after {
		key in _string_maps
		_strings(value)
	}
}

_string_maps := {"labels", "annotations"}

# _strings_at holds for a change of the string map at segment i of the path, or
# of one of its entries, that leaves strings there or nothing.
_strings_at(c, i) if {
	c.path[i] in _string_maps
	_strings_left(c, count(c.path) - i)
}

_strings_left(c, 2) if is_string(c.after)

_strings_left(c, 1) if _strings(c.after)

_strings_left(c, n) if {
	n <= 2
	c.op == "remove"
}

_strings(value) if {
	is_object(value)
	every entry in value {
		is_string(entry)
	}
}

# METADATA
# title: Images only
# description: The image of a container, of whatever sort.
images(c) if {
	n := count(c.path)
	c.path[0] == "spec"
	c.path[n - 1] == "image"
	c.path[n - 3] in {"containers", "initContainers", "ephemeralContainers"}
}

# METADATA
# title: Resources and replicas only
# description: The number of replicas, the bounds of an autoscaler, and the resources of containers.
resources_and_replicas(c) if c.pointer == "/spec/replicas"

resources_and_replicas(c) if {
	c.resource.group == "autoscaling"
	c.resource.kind == "HorizontalPodAutoscaler"
	c.pointer in {"/spec/minReplicas", "/spec/maxReplicas"}
}

resources_and_replicas(c) if {
	c.path[0] == "spec"
	some i, segment in c.path
	segment in {"containers", "initContainers"}
	c.path[i + 2] == "resources"
}

# METADATA
# title: Namespace only
# description: The namespace of an object, which moves by it, and of the subjects of a role binding.
namespace(c) if c.pointer == "/metadata/namespace"

namespace(c) if changes.moved(c)

namespace(c) if {
	c.resource.group == "rbac.authorization.k8s.io"
	c.path[0] == "subjects"
	c.path[2] == "namespace"
	count(c.path) == 3
}

# METADATA
# title: Additions of certain kinds only
# description: A new object of a kind that changes.add lists.
generator(c) if {
	c.op == "add"
	c.pointer == ""
	changes.granted(input.granted.add, c.resource)
}

# METADATA
# title: Certain fields only
# description: A field that changes.fields lists, or one below it. In its pointer, * stands for one segment.
fields(c) if {
	some [field, segments] in _granted_fields
	field.group == c.resource.group
	field.kind == c.resource.kind
	count(c.path) >= count(segments)
	every i, segment in segments {
		segment in {"*", c.path[i]}
	}
}

_granted_fields contains [field, segments] if {
	some field in input.granted.fields
	segments := [replace(replace(s, "~1", "/"), "~0", "~") | some s in array.slice(split(field.pointer, "/"), 1, 1000)]
}
