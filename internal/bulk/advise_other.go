//go:build !linux

package bulk

// advise does nothing here.
func advise([]byte) {}
