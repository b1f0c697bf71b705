package setmetadata

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	validation "k8s.io/kube-openapi/pkg/validation/errors"
	"sigs.k8s.io/kustomize/kyaml/errors"
)

// The syntax of label and annotation keys, and of label values:
// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
var (
	qualifiedName = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`)
	dnsSubdomain  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
)

const (
	maxName             = 63        // characters of a label's name or value
	maxPrefix           = 253       // characters of a key's prefix
	maxAnnotationsBytes = 256 << 10 // all annotations of one object, keys and values
)

// reserved are the annotation prefixes that steer KRM tools themselves: which function
// runs, and which file a resource is written to. They are not metadata to be set.
var reserved = []string{"config.kubernetes.io", "internal.config.kubernetes.io", "config.k8s.io"}

// Validate refuses what the schema cannot express: nothing to set, keys and values
// that the API server would refuse later, and annotations that steer KRM tools.
// It reports everything it finds at once.
func (s *SetMetadata) Validate() error {
	var found []error
	if len(s.Spec.Labels)+len(s.Spec.Annotations) == 0 {
		found = append(found, errors.Errorf("spec.labels and spec.annotations are both empty: there is nothing to set"))
	}
	for _, key := range slices.Sorted(maps.Keys(s.Spec.Labels)) {
		if why := checkKey(key); why != "" {
			found = append(found, errors.Errorf("spec.labels: key %q %s", key, why))
		}
		if value := s.Spec.Labels[key]; value != "" && (len(value) > maxName || !qualifiedName.MatchString(value)) {
			found = append(found, errors.Errorf("spec.labels[%q]: %q is not a label value: "+
				"at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends", key, value))
		}
	}
	size := 0
	for _, key := range slices.Sorted(maps.Keys(s.Spec.Annotations)) {
		size += len(key) + len(s.Spec.Annotations[key])
		if why := checkKey(key); why != "" {
			found = append(found, errors.Errorf("spec.annotations: key %q %s", key, why))
		}
		prefix, _, _ := strings.Cut(key, "/")
		if slices.Contains(reserved, prefix) {
			found = append(found, errors.Errorf("spec.annotations: key %q is reserved for KRM tools", key))
		}
	}
	if size > maxAnnotationsBytes {
		found = append(found, errors.Errorf("spec.annotations: %d bytes exceed the %d that Kubernetes allows", size, maxAnnotationsBytes))
	}
	if len(found) == 0 {
		return nil
	}
	return validation.CompositeValidationError(found...)
}

// checkKey says what is wrong with a label or annotation key, or "" where nothing is.
func checkKey(key string) string {
	prefix, name, prefixed := strings.Cut(key, "/")
	if !prefixed {
		prefix, name = "", key
	}
	switch {
	case name == "":
		return "has no name"
	case len(name) > maxName:
		return "has a name of more than 63 characters"
	case !qualifiedName.MatchString(name):
		return "has a name with more than letters, digits, '-', '_' and '.', or without a letter or digit at both ends"
	case prefixed && (len(prefix) > maxPrefix || !dnsSubdomain.MatchString(prefix)):
		return "has a prefix that is not a DNS name in lower case"
	}
	return ""
}
