//go:build !cgo

package main

import "errors"

// newWasmtime says that there is no wasmtime to compare with.
func newWasmtime([]byte, bool) (runner, error) {
	return nil, errors.New("wasmtime needs cgo, and this program was built without it")
}
