//go:build !cgo

package main

import "errors"

var errNone = errors.New("wasmtime needs cgo, and this program was built without it")

func compile(bool, string, string) error { return errNone }

func run(bool, string, []string) error { return errNone }
