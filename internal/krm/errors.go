package krm

import (
	"errors"
	"fmt"
	"strconv"
)

// SyntaxError says that a document the operator supplied cannot be used, and where.
type SyntaxError struct {
	Code    string // stable reason: "input." and a word, or "function." for the function annotation
	Name    string // file, "" for a stream
	Line    int    // from 1, 0 where no line can be named
	Column  int    // in characters from 1, 0 where no column can be named
	Message string // lower case; foreign text in it is quoted
	Hint    string // the remedy, "" where there is none to name
}

func (e *SyntaxError) Error() string { return position(e.Name, e.Line, e.Column) + e.Message }

// OutputError says that what a function wrote is refused, and where. Line and Column count in the function's output.
type OutputError struct {
	Code    string // stable reason: "output." and a word
	Line    int    // from 1, 0 where no line can be named
	Column  int    // in characters from 1, 0 where no column can be named
	Message string // lower case; foreign text in it is quoted
	Hint    string // the remedy, "" where there is none to name
}

func (e *OutputError) Error() string { return position("", e.Line, e.Column) + e.Message }

func position(name string, line, column int) string {
	s := ""
	if name != "" {
		s = strconv.Quote(name) + ": "
	}
	if line > 0 {
		s += "line " + strconv.Itoa(line)
		if column > 0 {
			s += ", column " + strconv.Itoa(column)
		}
		s += ": "
	}
	return s
}

// problem is a finding of the gate before it is known on which side of the function it was made.
type problem struct {
	reason       string // the code without its side
	line, column int
	message      string
	hint         string
}

func (p *problem) Error() string { return position("", p.line, p.column) + p.message }

func problemf(reason string, line, column int, format string, args ...any) *problem {
	return &problem{reason: reason, line: line, column: column, message: fmt.Sprintf(format, args...)}
}

func (p *problem) withHint(hint string) *problem {
	p.hint = hint
	return p
}

// asInput turns a problem into the operator's error; other errors pass.
func asInput(name string, err error) error {
	if p, ok := errors.AsType[*problem](err); ok {
		return &SyntaxError{
			Code: "input." + p.reason, Name: name, Line: p.line, Column: p.column, Message: p.message, Hint: p.hint,
		}
	}
	return err
}

// asOutput turns a problem into the function's error; other errors pass.
func asOutput(err error) error {
	if p, ok := errors.AsType[*problem](err); ok {
		return &OutputError{
			Code: "output." + p.reason, Line: p.line, Column: p.column, Message: p.message, Hint: p.hint,
		}
	}
	return err
}
