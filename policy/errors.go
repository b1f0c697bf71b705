package policy

import (
	"cmp"
	"fmt"
	"strings"
)

// LoadError says that what was given cannot serve as a policy.
type LoadError struct {
	Code    string // stable, such as policy.empty
	Message string
	Hint    string // what to do about it
}

// Error returns the message and the code.
func (e *LoadError) Error() string { return e.Message + " (" + e.Code + ")" }

// Position is one complaint of the Rego compiler, or of krmsafe's own checks
// on a policy, and where it is.
type Position struct {
	File    string `json:"file"`
	Row     int    `json:"row"`
	Col     int    `json:"col"`
	Code    string `json:"code"` // Rego's own, such as rego_type_error, or one that starts with policy.
	Message string `json:"message"`
}

// String formats the position as compilers do: file:row:col: message. A code of
// krmsafe's own follows in parentheses.
func (p Position) String() string {
	message := p.Message
	if strings.HasPrefix(p.Code, "policy.") {
		message += " (" + p.Code + ")"
	}
	if p.File == "" {
		return message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Row, p.Col, message)
}

// Hint says what to do about the complaint.
func (p Position) Hint() string {
	switch p.Code {
	case "policy.params":
		return "give the policy its parameters: --data FILE, a YAML or JSON file whose keys are read as data.params"
	case "policy.twice":
		return "name one policy; a policy of your own may import the rules of several from data.krmsafe.lib"
	default:
		return ""
	}
}

// CompileError says that a policy does not compile. Errors is never empty and
// is in the order of files and rows.
type CompileError struct {
	Errors []Position
}

// Error returns the first complaint and how many more there are.
func (e *CompileError) Error() string {
	first := e.Errors[0].String()
	if n := len(e.Errors) - 1; n > 0 {
		return fmt.Sprintf("%s (and %d more)", first, n)
	}
	return first
}

// Code returns the stable reason code of every compile error.
func (e *CompileError) Code() string { return "policy.compile" }

// Hint returns what to do about the first complaint.
func (e *CompileError) Hint() string {
	return cmp.Or(e.Errors[0].Hint(), "mend the policy; krmsafe policy check lists all complaints, and krmsafe inspect -o json shows the input that it sees")
}
