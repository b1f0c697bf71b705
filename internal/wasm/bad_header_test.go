package wasm_test

import (
	"strings"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

func badHeaders() []badModule {
	bad := []badModule{
		{name: "component", code: wasm.CodeComponent, module: []byte("\x00asm\x0d\x00\x01\x00"), says: "wasip2 is not supported"},
		{name: "component hint", code: wasm.CodeComponent, module: []byte("\x00asm\x0d\x00\x01\x00\x07\x00"), says: "GOOS=wasip1"},
		{name: "version", code: wasm.CodeVersion, module: []byte("\x00asm\x02\x00\x00\x00"), says: "02 00 00 00"},
		{name: "pre-release version", code: wasm.CodeVersion, module: []byte("\x00asm\x0d\x00\x00\x00")},
		{name: "ends in header", code: wasm.CodeTruncated, module: []byte("\x00asm\x01\x00")},
		{name: "gojs", code: wasm.CodeGoJS, says: "GOOS=wasip1", module: build(func(m *asm.Module) {
			m.ImportFunc("gojs", "runtime.wasmExit", asm.Types{asm.I32}, nil)
		})},
		{name: "go before 1.21 for JavaScript", code: wasm.CodeGoJS, says: "GOOS=js", module: build(func(m *asm.Module) {
			m.ImportFunc("go", "runtime.wasmExit", asm.Types{asm.I32}, nil)
		})},
	}
	for _, m := range []struct{ name, bytes, says string }{
		{"empty", "", "it is empty"},
		{"gzip", "\x1f\x8b\x08\x00", "looks like gzip data"},
		{"zstd", "\x28\xb5\x2f\xfd\x00", "looks like Zstandard data"},
		{"zip", "PK\x03\x04", "looks like a zip archive"},
		{"elf", "\x7fELF\x02\x01\x01", "looks like an ELF executable"},
		{"windows", "MZ\x90\x00", "looks like a Windows executable"},
		{"mach-o", "\xcf\xfa\xed\xfe", "looks like a Mach-O executable"},
		{"bitcode", "BC\xc0\xde", "looks like LLVM bitcode"},
		{"html", "\n<!DOCTYPE html>\n<html>", "looks like HTML"},
		{"html element", "<HTML>", "looks like HTML"},
		{"text", "(module\n  (func))", "wat2wasm"},
		{"text after comment", ";; hello\n(module)", "looks like WebAssembly text"},
		{"json", `{"schemaVersion": 2}`, "looks like JSON"},
		{"manifest", "apiVersion: v1\nkind: List\n", "looks like a Kubernetes manifest"},
		{"lfs pointer", "version https://git-lfs.github.com/spec/v1\n", "git lfs pull"},
		{"script", "#!/bin/sh\n", "looks like a script"},
		{"tar", "function.wasm" + strings.Repeat("\x00", 244) + "ustar\x0000", "looks like a tar archive"},
		{"other", "\x00\x01\x02\x03\x04", `it starts with "\x00\x01\x02\x03"`},
		{"short", "\x00as", `it starts with "\x00as"`},
	} {
		bad = append(bad, badModule{name: "not a module: " + m.name, code: wasm.CodeMagic, module: []byte(m.bytes), says: m.says})
	}
	return bad
}
