# Everything a developer does here. `make help` lists it.
GO      ?= go
BIN     := bin
LDFLAGS := -s -w -buildid=
LINT    := $(GO) tool -modfile=.ci/tools.mod golangci-lint
FUNCTIONS := testdata/functions
FUZZTIME  ?= 20s
# The packages with code of their own for each system; `make cross` builds all of it.
PORTABLE  := ./sandbox ./internal/jail ./internal/cache

.DEFAULT_GOAL := help
.PHONY: build cross functions test race lint fmt golden fuzz bench demo tidy ci clean help

build: ## build bin/krmsafe: static, without cgo, the same bytes from any folder
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags="$(LDFLAGS)" -o $(BIN)/krmsafe ./cmd/krmsafe

cross: ## build krmsafe for macOS and Windows, and for arm64
	for target in darwin/arm64 windows/amd64 linux/arm64; do \
		GOOS=$${target%/*} GOARCH=$${target#*/} CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN)/cross/$$target/ ./cmd/krmsafe || exit 1; \
	done

functions: ## build the sample KRM functions to bin/functions/*.wasm
	@mkdir -p $(BIN)/functions
	cd $(FUNCTIONS) && GOOS=wasip1 GOARCH=wasm CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags="-s -w" -o ../../$(BIN)/functions/set-metadata.wasm ./set-metadata
	cd $(FUNCTIONS) && GOOS=wasip1 GOARCH=wasm CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags="-s -w" -o ../../$(BIN)/functions/image-policy.wasm ./image-policy
	$(GO) run ./internal/testkit/stamp/cmd/stamp > $(BIN)/functions/stamp.wasm

test: ## run every test
	$(GO) test ./...
	cd $(FUNCTIONS) && $(GO) test ./...

race: ## run every test under the race detector (needs cgo)
	CGO_ENABLED=1 $(GO) test -race ./...

lint: ## check formatting, the import floors and doors, and the rest of .golangci.yml
	$(LINT) run ./...
	GOOS=darwin $(GO) vet $(PORTABLE)
	GOOS=windows $(GO) vet $(PORTABLE)

fmt: ## format the code
	$(LINT) fmt ./...

golden: ## rewrite the golden files; review the diff like code
	.ci/golden

fuzz: ## run each fuzz target for FUZZTIME (20s)
	.ci/fuzz $(FUZZTIME)

bench: ## measure against the peers; BENCHFLAGS=-quick takes minutes; keeps bench/out/bench.json
	.ci/bench $(BENCHFLAGS)

demo: build functions ## sign, run and refuse: the whole pipeline on a real input
	.ci/demo

tidy: ## tidy all modules
	$(GO) mod tidy
	cd $(FUNCTIONS) && $(GO) mod tidy
	cd testdata/kustomize && $(GO) mod tidy
	cd bench && $(GO) mod tidy

ci: ## what .ci/run does
	.ci/run

clean: ## remove what make built
	rm -rf $(BIN) bench/out

help: ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
