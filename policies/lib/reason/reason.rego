# METADATA
# title: Reasons
# description: Builds reasons from the metadata of the rule that gives them.
package krmsafe.lib.reason

# METADATA
# title: A reason from a rule's metadata
# description: The rule's custom.id and custom.remedy with the message that shows the fact.
new(metadata, message) := {
	"id": metadata.custom.id,
	"message": message,
	"remedy": metadata.custom.remedy,
}
