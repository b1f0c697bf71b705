# METADATA
# title: Reasons
# description: Builds reasons from the metadata of the rule that gives them.
package krmsafe.lib.reason

# METADATA
# title: A reason from a rule's metadata
# description: >-
#   The rule's custom.id and custom.remedy with the message that shows the fact. A rule without them still refuses;
#   note that rego.metadata.rule() speaks only of the definition that the metadata stands above.
new(metadata, message) := {
	"id": object.get(metadata, ["custom", "id"], "policy.unnamed_rule"),
	"message": message,
	"remedy": object.get(metadata, ["custom", "remedy"], ""),
}
