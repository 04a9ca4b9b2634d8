# Everything that is done to this repository by hand or by machine. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

GO       ?= go
TOOL     := $(GO) tool -modfile=tools.mod
FUZZTIME ?= 30s
EQUIVALENCE_CASES ?= 20000
BENCH    ?= .
IMAGE    ?=
REGISTRY ?=
VERSION  ?=
SUPPORT  ?= dist/support

# Modules beside the main one: what is heavy stays out of the product's go.mod.
MODULES := $(patsubst ./%/go.mod,%,$(shell find . -mindepth 2 -name go.mod -not -path './dist/*' | sort))

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nVariables: FUZZTIME=%s (fuzz, for each target), BENCH=%s (bench), IMAGE=reference (image), REGISTRY=prefix (push), VERSION=tag (support-images, push)\n' '$(FUZZTIME)' '$(BENCH)'

.PHONY: build
build: ## the program, as bin/debuggable and bin/kubectl-debuggable; static, so that it starts on any libc
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/debuggable .
	ln -sf debuggable bin/kubectl-debuggable
	ln -sf debuggable bin/kubectl_complete-debuggable

.PHONY: test
test: ## all tests of the main module; needs nothing but Go, and names at the end what it skips for want of a tool
	$(GO) test -json ./... | $(GO) run ./internal/skipped

.PHONY: cover
cover: ## what the tests reach, as dist/cover.html
	mkdir -p dist
	$(GO) test -coverpkg=./... -coverprofile=dist/cover.out ./...
	$(GO) tool cover -html=dist/cover.out -o dist/cover.html
	$(GO) tool cover -func=dist/cover.out | tail -n 1

.PHONY: golden
golden: ## write expected outputs anew: testdata, function-config/schema.yaml, the documentation's tables and console blocks
	UPDATE=1 $(GO) test -count=1 ./internal/cli ./function-config ./internal/reason ./internal/report ./runtimes
	UPDATE=1 $(GO) test -count=1 ./docs

.PHONY: lint
lint: ## gofmt, go vet, go mod tidy, golangci-lint (.golangci.yaml), for every module
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	if [ -n "$$unformatted" ]; then printf 'not formatted by gofmt:\n%s\n' "$$unformatted"; exit 1; fi
	$(GO) mod tidy -diff
	$(GO) vet ./...
	$(GO) vet -tags nowatch . ./internal/cli
	$(TOOL) golangci-lint run
	$(TOOL) golangci-lint run --build-tags nowatch . ./internal/cli
	@lint=$$($(TOOL) -n golangci-lint); for m in $(MODULES); do \
		if [ -z "$$(cd $$m && $(GO) list ./... 2> /dev/null)" ]; then continue; fi; \
		echo "$$m: go vet, golangci-lint"; (cd $$m && $(GO) vet ./... && $$lint run); \
	done

.PHONY: vuln
vuln: ## known vulnerabilities that the program can reach, by govulncheck and its database as of vuln.mod (offline, once they are in the module cache)
	mkdir -p dist/vulndb
	$(GO) mod download -modfile=vuln.mod golang.org/x/vulndb
	$(GO) tool -modfile=vuln.mod indexdb -out dist/vulndb -vulns "$$($(GO) list -modfile=vuln.mod -m -f '{{.Dir}}' golang.org/x/vulndb)/data/osv"
	$(GO) tool -modfile=vuln.mod govulncheck -db "file://$(CURDIR)/dist/vulndb" ./...

.PHONY: bench
bench: ## benchmarks of all packages; BENCH=regexp chooses
	$(GO) test -run='^$$' -bench='$(BENCH)' -benchmem ./...

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME, then the launch equivalence with many cases
	@grep -rnoE --include='*_test.go' '^func (Fuzz[A-Za-z0-9_]*)' . --exclude-dir=e2e | while IFS=: read -r file _ func; do \
		target=$${func#func }; echo "== $$target in $$(dirname $$file)"; \
		$(GO) test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=1x "./$$(dirname $$file)"; \
	done
	@if [ -d internal/equivalence ]; then $(GO) test -count=1 -timeout=60m ./internal/equivalence -cases=$(EQUIVALENCE_CASES) -inside=$(EQUIVALENCE_CASES); fi

.PHONY: e2e
e2e: ## real debuggers, containers, clusters and orchestrators: the module e2e, and pipelines with Helm built from source
	DEBUGGABLE_BUILD_TOOLS=1 $(GO) test -timeout=20m ./internal/pipelines
	$(GO) test -count=1 ./docs
	@# What these test lies outside of their module, where go test's cache would not see it change. The linker ignores the variable.
	@if [ -f e2e/go.mod ]; then \
		tested=$$(git ls-files -z -co --exclude-standard | xargs -0 sha256sum 2> /dev/null | sha256sum | cut -c 1-40 || true); \
		cd e2e && $(GO) test -ldflags="-X main.tested=$$tested" -timeout=50m ./...; \
	fi

.PHONY: image
image: ## the function's image as an OCI layout, dist/image, without a container engine; IMAGE=reference pushes it
	$(GO) run ./internal/buildimage -o dist/image $(if $(IMAGE),-push $(IMAGE))

.PHONY: support-images
support-images: ## the support images as OCI layouts in dist/support
	$(GO) run ./support/build -o $(SUPPORT) $(if $(VERSION),-version $(VERSION))

.PHONY: release
release: image support-images ## archives, bills of materials, checksums and a Krew manifest in dist/release, from the commit as it is; nothing is published
	rm -rf dist/release
	$(GO) run ./internal/release -o dist/release

.PHONY: push
push: ## support images to REGISTRY/go, REGISTRY/nodejs, …; it prints the flag to use
	@if [ -z '$(REGISTRY)' ]; then echo 'make push: say where to, with REGISTRY=registry.example.com/debug'; exit 2; fi
	$(GO) run ./support/build -o $(SUPPORT) $(if $(VERSION),-version $(VERSION)) -push '$(REGISTRY)'

.PHONY: clean
clean: ## remove what was built: bin, dist
	rm -rf bin dist
