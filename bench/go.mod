module github.com/krmsafe/krmsafe/bench

go 1.26.0

require (
	github.com/bytecodealliance/wasmtime-go/v39 v39.0.1
	github.com/krmsafe/krmsafe v0.0.0
	github.com/tetratelabs/wazero v1.12.0
	go.yaml.in/yaml/v3 v3.0.5
)

require golang.org/x/sys v0.49.0 // indirect

replace github.com/krmsafe/krmsafe => ../
