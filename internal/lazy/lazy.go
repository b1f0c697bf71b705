// Package lazy puts off what most runs of krmsafe never need. It knows regular expressions and nothing else.
//
// Every process of krmsafe initialises all packages before it begins, and ends soon after: an expression in a variable of
// its package is compiled for all runs and used in few. That they are not is what keeps the heap below the size at which
// Go's collector begins its first cycle, before main can tell it to wait.
package lazy

import (
	"regexp"
	"sync"
)

// Regexp gives a regular expression that is compiled when it is first asked for, once. An expression that is none panics
// then, as regexp.MustCompile does; TestEveryExpressionIsOne sees to it that none does.
func Regexp(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
