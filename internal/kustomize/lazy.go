package kustomize

import (
	"regexp"
	"sync"
)

// lazy compiles an expression when it is first asked for. Most runs of krmsafe never
// ask, and every process of it would compile them all before it begins.
func lazy(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
