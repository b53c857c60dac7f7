# Tutti: everything needs Go and make only; tools come from Go modules.
SHELL      := /bin/bash
SF         ?= 1
CACHE      := $(CURDIR)/.cache
DEMO       := $(CACHE)/demo
RACE       := ./internal/... ./exchange/... ./worker/... ./coordinator/query/... ./coordinator/schedule/... ./coordinator/cluster/... ./coordinator/kubemetrics/... ./coordinator/meta/... ./coordinator/reign/... ./client/...
FUZZTIME   ?= 20s
IMAGE_TAG  ?= dev

# Tools, by version. They are built into .cache/bin once and never go into go.mod.
GOLANGCI   := $(CACHE)/bin/golangci-lint-v2.15.0
BUF        := $(CACHE)/bin/buf-v1.59.0
HELM       := $(CACHE)/bin/helm-v4.3.1
KUSTOMIZE  := $(CACHE)/bin/kustomize-v5.7.1
# The control plane of test-k8s, by version and outside the work tree: it takes half an hour to build.
K8S        := v1.37.2
ETCD       := v3.7.3
PLANE      := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tutti/controlplane-$(K8S)-etcd-$(ETCD)
PLANE_CMDS := etcd kube-apiserver kube-controller-manager kube-scheduler kubectl

.PHONY: help build test test-all check bench bench-sf10 bench-micro bench-recovery lint fmt check-gen sim chaos fuzz gen demo demo-stop clean image test-k8s

help: ## show this
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## bin/tutti, one static binary
	@mkdir -p bin
	CGO_ENABLED=0 go build -ldflags='-s -w' -o bin/tutti ./cmd/tutti

# Results are never taken from Go's cache, which does not know of what processes
# are made that tests start.
test: build ## every correctness claim that a bare machine can prove, in less than 15 minutes
	go vet ./...
	@set -o pipefail; { go test -json -count=1 -timeout 12m ./...; go test -json -count=1 -race -timeout 8m $(RACE); } | go run ./test/report

test-all: build ## the long forms: more cancels, longer fuzzing, unmodified clients (these need Java, Python and Node)
	go vet ./...
	@set -o pipefail; TUTTI_TEST_LONG=1 go test -json -count=1 -timeout 60m ./... | go run ./test/report
	@set -o pipefail; go test -json -count=1 -race -timeout 30m $(RACE) | go run ./test/report
	$(MAKE) fuzz FUZZTIME=20s
	test/clients/run.sh
	test/clients/failover.sh

check: lint check-gen ## what every change must pass: linters, generated code, vet, import lattice, short tests
	go vet ./...
	go test -short . ./internal/... ./sql/... ./planner/... ./exec/... ./coordinator/query/... ./coordinator/schedule/...

lint: $(GOLANGCI) ## formatting and the linters of .golangci.yml
	GOLANGCI_LINT_CACHE=$(CACHE)/lint $(GOLANGCI) run ./...

fmt: $(GOLANGCI) ## format all Go code
	GOLANGCI_LINT_CACHE=$(CACHE)/lint $(GOLANGCI) fmt ./...

bench: build ## TPC-H side by side with other engines: SF=1 RUNS=5 ENGINES=all (see docs/performance.md)
	@SF=$(SF) bench/compare/run.sh

bench-sf10: build ## all 22 queries at scale factor 10 on a cluster: answers checked, memory held to 8 GiB
	@SF=10 RUNS=$(or $(RUNS),1) WARMUP=0 ENGINES="$(or $(ENGINES),duckdb tutti-cluster)" MAX_RSS=tutti-cluster=8 TIMEOUT=600 bench/compare/run.sh

bench-micro: ## micro-benchmarks of kernels, operators, readers and the exchange
	go test -run '^$$' -bench . -benchtime 0.5s ./exec/... ./connectors/... ./exchange/...

bench-recovery: build ## what recovery costs without failures, and how long queries take that lose a worker: ARGS="-mode cost,kill,hang …" (root: shares of a processor)
	TUTTI_BINARY=$(CURDIR)/bin/tutti go run ./bench/recovery $(ARGS)

sim: ## a million random failure schedules against the scheduler (TUTTI_SIM=N)
	TUTTI_SIM=$(or $(TUTTI_SIM),1000000) go test -timeout 60m -run Chaos -v ./coordinator/schedule

chaos: build ## real processes under load, killed, stopped, cut off, starved of disk and storage: CHAOS=10m CHAOS_SEED= CHAOS_FAULTS= (root: it mounts disks to fill)
	CHAOS=$(or $(CHAOS),10m) TUTTI_BINARY=$(CURDIR)/bin/tutti go test -count=1 -timeout 0 -run TestLong -v ./test/chaos

fuzz: ## every fuzz target for FUZZTIME
	@set -e; for pkg in $$(grep -rl --include='*_test.go' --exclude-dir=.cache '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for f in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$pkg/*_test.go | cut -c6-); do \
	    echo "== $$pkg $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg; done; done

gen: $(BUF) ## Go code from the .proto files
	$(BUF) generate

check-gen: $(BUF) ## the .proto files are sound and the Go code is theirs
	$(BUF) lint
	@rm -rf $(CACHE)/gen && $(BUF) generate -o $(CACHE)/gen
	@diff -r --exclude='*.proto' $(CACHE)/gen/proto proto || { echo "proto is not what its .proto files say: run make gen"; exit 1; }

image: build ## bin/tutti-image.tar, a container image without a container engine: docker load, podman load, ctr image import
	go run ./deploy/k8s/image -name tutti:$(IMAGE_TAG) -version $(IMAGE_TAG)

test-k8s: image $(HELM) $(KUSTOMIZE) $(addprefix $(PLANE)/,$(PLANE_CMDS)) ## install into a real control plane, use, scale, drain, upgrade, remove (root, Linux; builds Kubernetes once)
	@go build -o bin/test-k8s ./test/k8s/cluster
	bin/test-k8s -bin $(PLANE) -helm $(HELM) -kustomize $(KUSTOMIZE)

demo: ## a cluster with an S3 store, TPC-H at SF= (default 1) and its 22 queries; stays up
	@SF="$(SF)" DEMO="$(DEMO)" bench/demo.sh start

demo-stop: ## end the demo's processes
	@DEMO="$(DEMO)" bench/demo.sh stop

clean: ## remove what was built; data of the demo stays in .cache
	rm -rf bin

# $(call tool,PACKAGE) builds the tool whose name ends in -VERSION.
tool = @echo "Building $(notdir $@), once …"; mkdir -p $(CACHE)/bin && tmp=$$(mktemp -d $(CACHE)/bin/build.XXXX) && \
	GOBIN=$$tmp go install $(1)@$(lastword $(subst -v, v,$(notdir $@))) && mv $$tmp/* $@; code=$$?; rm -rf $$tmp; exit $$code

$(GOLANGCI):
	$(call tool,github.com/golangci/golangci-lint/v2/cmd/golangci-lint)

$(BUF):
	$(call tool,github.com/bufbuild/buf/cmd/buf)

$(HELM):
	$(call tool,helm.sh/helm/v4/cmd/helm)

$(KUSTOMIZE):
	$(call tool,sigs.k8s.io/kustomize/kustomize/v5)

# The tests of deploy/k8s build these by themselves, but not within the time that a test has.
test test-all: | $(HELM) $(KUSTOMIZE)

# Programs of the control plane, from the module that pins their versions.
PLANE_VERSION := k8s.io/component-base/version
$(PLANE)/%:
	@echo "Building $*, once …"; mkdir -p $(PLANE)
	cd test/k8s/controlplane && CGO_ENABLED=0 nice go build -p 1 -trimpath -o $@.tmp \
	  -ldflags '-s -w -X $(PLANE_VERSION).gitVersion=$(K8S) -X $(PLANE_VERSION).gitMajor=1 -X $(PLANE_VERSION).gitMinor=37' \
	  $(if $(filter etcd,$*),go.etcd.io/etcd/server/v3,k8s.io/kubernetes/cmd/$*)
	@mv $@.tmp $@
