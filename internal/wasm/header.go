package wasm

import (
	"bytes"
	"fmt"
)

// checkHeader checks magic and version, and says what the bytes look like
// where they are not a core module.
func checkHeader(module []byte) error {
	if !bytes.HasPrefix(module, []byte(Magic)) {
		return &Error{
			Code: CodeMagic, Section: "header",
			Message: "not a WebAssembly module: " + looksLike(module),
			Hint:    magicHint(module),
		}
	}
	if len(module) < HeaderBytes {
		return &Error{Code: CodeTruncated, Section: "header", Offset: int64(len(module)), Message: "the module ends within its header"}
	}
	version := module[4:HeaderBytes]
	switch {
	case string(version) == Version:
		return nil
	case version[2] == 1 && version[3] == 0:
		return &Error{
			Code: CodeComponent, Section: "header", Offset: 4,
			Message: "a WebAssembly component (WASI preview 2); wasip2 is not supported",
			Hint:    "build a core module for WASI preview 1 instead (Go: GOOS=wasip1 GOARCH=wasm; Rust: --target wasm32-wasip1; TinyGo: -target=wasip1)",
		}
	}
	return &Error{
		Code: CodeVersion, Section: "header", Offset: 4,
		Message: fmt.Sprintf("version bytes % x of the binary format are not known, only version 1 is", version),
		Hint:    "build a WebAssembly 1.0 or 2.0 core module",
	}
}

// signatures are the beginnings of what people hand over by mistake.
var signatures = []struct{ prefix, name string }{
	{"\x1f\x8b", "gzip data"},
	{"\x28\xb5\x2f\xfd", "Zstandard data"},
	{"BZh", "bzip2 data"},
	{"\xfd7zXZ\x00", "xz data"},
	{"PK\x03\x04", "a zip archive"},
	{"\x7fELF", "an ELF executable"},
	{"MZ", "a Windows executable"},
	{"\xcf\xfa\xed\xfe", "a Mach-O executable"},
	{"\xca\xfe\xba\xbe", "a Mach-O universal binary or a Java class"},
	{"BC\xc0\xde", "LLVM bitcode"},
	{"!<arch>", "an ar archive"},
	{"#!", "a script"},
	{"version https://git-lfs", "a Git LFS pointer"},
	{"(module", "WebAssembly text (.wat)"},
	{"(component", "WebAssembly component text (.wat)"},
	{";;", "WebAssembly text (.wat)"},
	{"(;", "WebAssembly text (.wat)"},
	{"<!doctype html", "HTML"},
	{"<html", "HTML"},
	{"<?xml", "XML"},
	{"{", "JSON"},
	{"apiVersion:", "a Kubernetes manifest"},
	{"---", "YAML"},
}

// looksLike names the format of bytes that are not a module.
func looksLike(b []byte) string {
	if len(b) == 0 {
		return "it is empty"
	}
	head := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(b[:min(len(b), 512)], []byte("\xef\xbb\xbf")), " \t\r\n"))
	for _, s := range signatures {
		if bytes.HasPrefix(b, []byte(s.prefix)) || bytes.HasPrefix(head, bytes.ToLower([]byte(s.prefix))) && s.prefix[0] > ' ' && s.prefix[0] < 0x7f {
			return "looks like " + s.name
		}
	}
	if len(b) > 262 && string(b[257:262]) == "ustar" {
		return "looks like a tar archive"
	}
	return fmt.Sprintf("it starts with %q", b[:min(len(b), 4)])
}

func magicHint(b []byte) string {
	switch looksLike(b) {
	case "looks like WebAssembly text (.wat)":
		return "convert it to the binary format first, for example with wat2wasm"
	case "looks like a Git LFS pointer":
		return "fetch the file itself with: git lfs pull"
	}
	return "give the .wasm file of a core module (Go: GOOS=wasip1 GOARCH=wasm go build)"
}
