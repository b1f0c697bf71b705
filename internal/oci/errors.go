package oci

import "fmt"

// ArtifactError says that an artifact was found and is refused for what it is: its bytes do not match their digest, its
// layout is ambiguous, it holds something that is not a core WebAssembly module. Trying again will not help.
type ArtifactError struct {
	// Code is the stable dotted reason, such as "artifact.digest_mismatch".
	Code string
	// Ref is the reference that was being fetched, in canonical form.
	Ref string
	// Digest is the manifest or blob concerned, or empty.
	Digest string
	// Message is the sentence for people, without the reference.
	Message string
	// Hint is the remedy, where there is one.
	Hint string
}

// Error gives the reference and the reason.
func (e *ArtifactError) Error() string {
	if e.Ref == "" {
		return e.Message
	}
	return e.Ref + ": " + e.Message
}

// LimitError says that something foreign was larger than the client accepts. Nothing beyond the limit was read.
type LimitError struct {
	// Limit is the stable dotted name, such as "limit.module_bytes".
	Limit string
	// Max is the limit, in bytes or entries as its name says.
	Max int64
	// Got is what was announced or counted; where the size was not announced it is Max+1, the point at which reading ended.
	Got int64
	// Hint names the setting that moves the limit.
	Hint string
	// What is the thing measured.
	What string
}

// Error names the limit, its value and what was found.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: %d is over the limit of %d (%s)", e.What, e.Got, e.Max, e.Limit)
}

// RegistryError says that a registry could not be used: krmsafe could not judge.
type RegistryError struct {
	// Code is the stable dotted reason, such as "registry.unauthorized".
	Code string
	// Registry is the host that was spoken to: the mirror's, where a mirror stands in.
	Registry string
	// Repository is the path inside the registry, at the mirror where there is one. It may be empty.
	Repository string
	// Op is what was being done, such as "fetching manifest \"v1\"".
	Op string
	// Status is the HTTP status, or 0 where there was no answer.
	Status int
	// Message is the reason in words.
	Message string
	// Hint is the remedy, where there is one.
	Hint string
	// Err is the cause, or nil.
	Err error
}

// Error says which registry refused what.
func (e *RegistryError) Error() string {
	name := e.Registry
	if e.Repository != "" {
		name += "/" + e.Repository
	}
	return fmt.Sprintf("registry %s: %s: %s", name, e.Op, e.Message)
}

// Unwrap gives the cause, so that a cancelled context is recognised as such.
func (e *RegistryError) Unwrap() error { return e.Err }

// LayoutError says that an OCI layout could not be read or written: krmsafe could not judge.
type LayoutError struct {
	// Code is the stable dotted reason: "layout.not_found", "layout.exists" or "layout.not_a_layout".
	Code string
	// Dir is the layout's directory.
	Dir string
	// Message is the reason in words.
	Message string
	// Hint is the remedy, where there is one.
	Hint string
	// Err is the cause, or nil.
	Err error
}

// Error gives the layout and the reason.
func (e *LayoutError) Error() string { return fmt.Sprintf("oci-layout %q: %s", e.Dir, e.Message) }

// Unwrap gives the cause.
func (e *LayoutError) Unwrap() error { return e.Err }

// ConfigError says which field of a Config is wrong.
type ConfigError struct {
	// Field is the field's name.
	Field string
	// Message says what is wrong with it.
	Message string
}

// Error names the field.
func (e *ConfigError) Error() string { return "oci config: " + e.Field + ": " + e.Message }
