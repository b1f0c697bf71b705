package policy

import "encoding/json"

// ChangesVersion is the value of input.version that an output policy sees.
const ChangesVersion = "krmsafe.dev/changes/v1"

// Changes is what a function did to its input, field by field. As JSON it is
// Rego's input for data.krmsafe.output. As with Facts, every field is always
// present and no list is null.
type Changes struct {
	Version  string        `json:"version" doc:"Version of this document; always krmsafe.dev/changes/v1."`
	Request  Request       `json:"request" doc:"What the operator asked for, as at admission."`
	Verified Verified      `json:"verified" doc:"Signed truth, as at admission."`
	Function FunctionRole  `json:"function" doc:"What the function is meant to do."`
	Granted  ChangeGrant   `json:"granted" doc:"What the admission policy lets the function change: its answer's changes."`
	Changes  []Change      `json:"changes" doc:"Every difference between input and output, in the order of the resources."`
	Summary  ChangeSummary `json:"summary" doc:"The changes summed up."`
	Results  []FnResult    `json:"results" doc:"What the function reported."`
}

// FunctionRole is what the operator says that the function is for.
type FunctionRole struct {
	Role string `json:"role" doc:"A transformer changes, a generator adds, a validator changes nothing." enum:"transformer,generator,validator"`
}

// Change is one difference: a field, or a whole resource where Path is empty.
type Change struct {
	Op       string          `json:"op" doc:"What happened." enum:"add,remove,replace"`
	Resource ResourceID      `json:"resource" doc:"The resource, by its identity in the input, or in the output if it was added."`
	Path     []string        `json:"path" doc:"Segments of the field's path; empty for a whole resource. A list element is named in brackets by its merge key, such as [name=app], or by its index, such as [0]; a key that begins with a bracket or a backslash has a backslash before it."`
	Pointer  string          `json:"pointer" doc:"The path as a JSON pointer; empty for a whole resource."`
	Before   json.RawMessage `json:"before" doc:"Value before; null where there was none. Secret values are never shown."`
	After    json.RawMessage `json:"after" doc:"Value after; null where there is none. Secret values are never shown."`
}

// ResourceID is the identity of a resource.
type ResourceID struct {
	Group     string `json:"group" doc:"API group; empty for the core group."`
	Version   string `json:"version" doc:"API version; no part of the identity."`
	Kind      string `json:"kind" doc:"Kind."`
	Namespace string `json:"namespace" doc:"metadata.namespace, or empty."`
	Name      string `json:"name" doc:"metadata.name."`
}

// ChangeSummary counts resources, not fields.
type ChangeSummary struct {
	Added               int      `json:"added" doc:"Resources added."`
	Removed             int      `json:"removed" doc:"Resources removed."`
	Changed             int      `json:"changed" doc:"Resources with a changed field."`
	Reordered           bool     `json:"reordered" doc:"Whether resources that stayed stand in another order."`
	KindsAdded          []string `json:"kindsAdded" doc:"Group and kind of the resources added, as group/Kind or Kind, sorted."`
	KindsRemoved        []string `json:"kindsRemoved" doc:"The same of the resources removed."`
	KindsChanged        []string `json:"kindsChanged" doc:"The same of the resources changed."`
	SecretsTouched      int      `json:"secretsTouched" doc:"Secrets added, removed or changed."`
	ReservedAnnotations []string `json:"reservedAnnotations" doc:"Reserved annotation keys added, removed or changed, sorted."`
}

// FnResult is one result that the function reported. All of it is its own
// word.
type FnResult struct {
	Message  string            `json:"message" doc:"What the function says."`
	Severity string            `json:"severity" doc:"How grave it says that is." enum:"error,warning,info"`
	Resource ResourceID        `json:"resource" doc:"The resource it is about, or empty."`
	Field    string            `json:"field" doc:"The field it is about, or empty."`
	File     string            `json:"file" doc:"The file it is about, or empty."`
	Tags     map[string]string `json:"tags" doc:"Tags."`
}

// Operations of a Change and roles of a function.
const (
	OpAdd     = "add"
	OpRemove  = "remove"
	OpReplace = "replace"

	RoleTransformer = "transformer"
	RoleGenerator   = "generator"
	RoleValidator   = "validator"
)

// Normalize returns the changes in the one form that policies see. The order
// of changes and results is kept: it is the order of the output. It copies
// what it changes; c is left as it is.
func (c Changes) Normalize() Changes {
	c.Version = ChangesVersion
	c.Request = c.Request.normalize()
	c.Verified = c.Verified.normalize()
	c.Granted = c.Granted.normalize()
	changes := make([]Change, len(c.Changes))
	for i, change := range c.Changes {
		change.Path = present(change.Path)
		change.Before, change.After = orNull(change.Before), orNull(change.After)
		changes[i] = change
	}
	c.Changes = changes
	results := make([]FnResult, len(c.Results))
	for i, result := range c.Results {
		result.Tags = presentMap(result.Tags)
		results[i] = result
	}
	c.Results = results
	c.Summary.KindsAdded = sortedSet(c.Summary.KindsAdded)
	c.Summary.KindsRemoved = sortedSet(c.Summary.KindsRemoved)
	c.Summary.KindsChanged = sortedSet(c.Summary.KindsChanged)
	c.Summary.ReservedAnnotations = sortedSet(c.Summary.ReservedAnnotations)
	return c
}

func orNull(value json.RawMessage) json.RawMessage {
	if len(value) == 0 {
		return json.RawMessage("null")
	}
	return value
}
