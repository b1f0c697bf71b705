// Package wasm reads and writes the WebAssembly binary format.
package wasm
