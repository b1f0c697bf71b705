# METADATA
# title: Modules
# description: Rules over what krmsafe's decoder found in the module that will run.
package krmsafe.lib.module

import data.krmsafe.lib.reason

# METADATA
# title: The rules of the baseline
# description: Every rule below that each KRM function built with Go, Rust or TinyGo passes.
baseline := not_wasi | imported_resources | no_entry_point | start_section | no_memory | tables

# METADATA
# title: Only WASI preview 1 is imported
# description: A module that imports anything else expects a host that krmsafe is not.
# custom:
#   id: module.import
#   remedy: build the function for WASI preview 1, such as with GOOS=wasip1 GOARCH=wasm
not_wasi contains r if {
	some i in input.module.imports
	i.module != "wasi_snapshot_preview1"
	r := reason.new(rego.metadata.rule(), sprintf("the module imports %s.%s, which is not of wasi_snapshot_preview1", [i.module, i.name]))
}

# METADATA
# title: Only functions are imported
# description: A memory, table or global that the host would have to provide is refused.
# custom:
#   id: module.import_kind
#   remedy: link the function so that it defines its own memory, tables and globals
imported_resources contains r if {
	some i in input.module.imports
	i.kind != "func"
	r := reason.new(rego.metadata.rule(), sprintf("the module imports the %s %s.%s; only functions can be imported", [i.kind, i.module, i.name]))
}

# METADATA
# title: The module is a command
# description: It exports _start, which reads a ResourceList on stdin and writes one on stdout.
# custom:
#   id: module.no_entry_point
#   remedy: build the function as a command and not as a library or reactor
no_entry_point contains r if {
	input.module.entryPoint != "_start"
	r := reason.new(rego.metadata.rule(), "the module does not export the function _start")
}

# METADATA
# title: No start section
# description: Code in a start section runs before the entry point; no compiler of KRM functions writes one.
# custom:
#   id: module.start_section
#   remedy: link the function without a start section
start_section contains r if {
	input.module.startSection
	r := reason.new(rego.metadata.rule(), "the module has a start section")
}

# METADATA
# title: The module defines a memory
# description: Without a memory nothing can be read or written.
# custom:
#   id: module.no_memory
#   remedy: build the function as a command that defines and exports its memory
no_memory contains r if {
	not input.module.memory.declared
	r := reason.new(rego.metadata.rule(), "the module defines no memory")
}

# METADATA
# title: At most one table
# description: Tables live in the host's memory; compilers of KRM functions write one.
# custom:
#   id: module.tables
#   remedy: link the function so that it has one table
tables contains r if {
	count(input.module.tables) > 1
	r := reason.new(rego.metadata.rule(), sprintf("the module has %d tables, at most 1 is accepted", [count(input.module.tables)]))
}

# METADATA
# title: Only certain classes of imports
# description: >-
#   Takes a set or list of classes. Every function that Go builds imports the class fs without using it, and most
#   import net; krmsafe gives neither, so that this rule is for those who want the imports gone as well.
# custom:
#   id: module.import_class
#   remedy: build the function with TinyGo or Rust and without files or sockets, or accept the class in the policy
import_classes_outside(classes) := {r |
	some class in input.module.importClasses
	not class in classes
	r := reason.new(rego.metadata.rule(), sprintf("the module imports functions of the class %s", [class]))
}

# METADATA
# title: Only certain features
# description: Takes a set or list of WebAssembly features, as in input.module.features.
# custom:
#   id: module.feature
#   remedy: build the function without the feature, or accept it in the policy
features_outside(features) := {r |
	some feature in input.module.features
	not feature in features
	r := reason.new(rego.metadata.rule(), sprintf("the module uses the WebAssembly feature %s", [feature]))
}

# METADATA
# title: The module is not too large
# description: Takes a number of bytes.
# custom:
#   id: module.size
#   remedy: build the function without debugging information, or raise the bound in the policy
larger_than(bytes) := {r |
	input.module.sizeBytes > bytes
	r := reason.new(rego.metadata.rule(), sprintf("the module has %d bytes, at most %d are accepted", [input.module.sizeBytes, bytes]))
}

# METADATA
# title: The memory has a maximum
# description: Go and most compilers declare none; krmsafe imposes one in any case.
# custom:
#   id: module.memory_maximum
#   remedy: link the function with a maximum memory
no_memory_maximum contains r if {
	not input.module.memory.hasMax
	r := reason.new(rego.metadata.rule(), "the module declares no maximum for its memory")
}
