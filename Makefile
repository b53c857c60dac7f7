# Everything that people do with this repository. `make help` lists it.

GO      ?= go
BIN     := bin
CACHE   := .cache
VERSION ?= 0.1.0-dev
SF      ?= 1

# Packages whose tests also run under the race detector in `make test`.
RACE := ./coordinator ./coordinator/query ./coordinator/schedule ./coordinator/cluster ./worker ./exchange ./exec/mem ./exec/local ./client

BUF     := $(CACHE)/bin/buf
FUZZTIME ?= 20s

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/tutti, static
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o $(BIN)/tutti ./cmd/tutti

.PHONY: test
test: build ## everything that a bare machine can prove, under 15 minutes
	$(GO) vet ./...
	$(GO) test -race -short -timeout 15m $(RACE)
	$(GO) test -timeout 20m ./...

.PHONY: short
short: ## the quick tests
	$(GO) test -short ./...

.PHONY: check
check: ## what every change must pass: formatting, vet, lattice, generated code, short tests
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt"; exit 1; }
	$(GO) vet ./...
	$(GO) test -run 'TestLattice' .
	$(MAKE) check-gen
	$(GO) test -short ./...

$(BUF):
	GOBIN=$(abspath $(CACHE)/bin) $(GO) install github.com/bufbuild/buf/cmd/buf@v1.59.0
	GOBIN=$(abspath $(CACHE)/bin) $(GO) install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
	GOBIN=$(abspath $(CACHE)/bin) $(GO) install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.0

.PHONY: gen
gen: $(BUF) ## generate Go from proto/
	PATH="$(abspath $(CACHE)/bin):$$PATH" $(BUF) generate

.PHONY: check-gen
check-gen: $(BUF) ## whether the generated code is that of proto/
	$(BUF) lint
	rm -rf $(CACHE)/gen && mkdir -p $(CACHE)/gen
	PATH="$(abspath $(CACHE)/bin):$$PATH" $(BUF) generate -o $(CACHE)/gen
	diff -r --exclude='*.proto' $(CACHE)/gen/proto proto

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BIN) $(CACHE)
