package pipeline

import (
	"strings"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/policy"
)

// selectors are a policy's or a request's, in the words of the room that
// applies them.
func selectors(list []policy.Selector) []krm.Selector {
	out := make([]krm.Selector, 0, len(list))
	for _, s := range list {
		out = append(out, krm.Selector(s))
	}
	return out
}

// secretMode never shows a value unless the policy says so in that word.
func secretMode(word string) krm.SecretMode {
	switch word {
	case policy.SecretsValues:
		return krm.SecretValues
	case policy.SecretsHidden:
		return krm.SecretHidden
	default:
		return krm.SecretPlaceholders
	}
}

// splitAPIVersion gives the group and version of an apiVersion.
func splitAPIVersion(s string) (group, version string) {
	if g, v, found := strings.Cut(s, "/"); found {
		return g, v
	}
	return "", s
}
