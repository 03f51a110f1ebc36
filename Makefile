# The one front door. CI runs these targets and nothing else; .ci/run is `make check test`.
#
# It needs Go, and Node for the browser client's library and for Azurite. Java, for Google's Firestore emulator, is unpacked into bin/ where there is
# none. All else is pinned in tools/ and built or installed from there.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO        ?= go
FUZZTIME  ?= 30s
BENCH     ?= .
BENCHTIME ?= 1s
COUNT     ?= 1

TOOLS     := bin/tools
VERSION   := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS   := -s -w -X main.release=$(VERSION)
# The race detector needs a C compiler. Without one the tests run all the same, and say so.
HAVE_CC   := $(shell command -v $${CC:-cc} 2>/dev/null)
GOFILES    = $(shell git ls-files --cached --others --exclude-standard '*.go')

.PHONY: help check fmt fmt-check tidy vet lint arch unit test test-race test-all clients bench bench-peer bench-peer-s3 fuzz corpus proof proof-replicas proof-requests model build server docker-build image FORCE package gcf-source lambda-bootstrap azure-handler lambda-local docs cost sim vuln tools servers clean

help: ## Print what there is to make
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

check: fmt-check vet lint arch unit ## Format, vet, lint, walls, unit tests: under a minute, no network once the tools are built

fmt: $(TOOLS)/gofumpt ## Format all Go files
	@$(TOOLS)/gofumpt -w $(GOFILES)

fmt-check: $(TOOLS)/gofumpt
	@bad=$$($(TOOLS)/gofumpt -l $(GOFILES)); \
	if [ -n "$$bad" ]; then echo "not formatted (make fmt):"; echo "$$bad"; exit 1; fi

tidy: ## Bring go.mod and go.sum up to date, the examples' after the product's
	$(GO) mod tidy
	$(GO) -C examples mod tidy

vet:
	$(GO) vet ./...
	$(GO) -C examples vet ./...

lint: $(TOOLS)/golangci-lint
	$(TOOLS)/golangci-lint run --allow-parallel-runners ./...
	cd examples && ../$(TOOLS)/golangci-lint run --allow-parallel-runners ./...

arch:
	$(GO) test ./internal/arch

unit:
	$(GO) test -short ./...
	$(GO) -C examples test -short ./...

test: clients servers test-race test-all ## Everything, with real clients and servers; installs what it needs from tools/

# The short form of every suite under the race detector, then the full form without it: the long randomised suites would
# take ten times as long under it and find no other races. One package at a time in the full form: some tests measure how long a
# takeover takes, and others keep real servers busy.
test-race:
ifneq ($(HAVE_CC),)
	CGO_ENABLED=1 $(GO) test -race -short -timeout 15m ./...
else
	@echo "=== SKIPPED: the race detector needs a C compiler, and there is none ==="
endif

test-all:
	$(GO) test -p 1 -timeout 30m -count $(COUNT) ./...
	$(GO) -C examples test -timeout 10m -count $(COUNT) ./...

clients: tools/node_modules/.installed ## Install and build the upload clients that the end-to-end tests drive
	@echo "building tools/clients"; mkdir -p bin/clients
	@CGO_ENABLED=0 $(GO) -C tools/clients build -trimpath -o "$(CURDIR)/bin/clients/" ./...

servers: tools/node_modules/.installed bin/versitygw bin/fakegcs bin/cloud-firestore-emulator.jar bin/spin ## Install the servers that tests start

tools/node_modules/.installed: tools/package-lock.json tools/package.json
	@command -v npm >/dev/null || { echo "npm is missing: the tests with tus-js-client need Node"; exit 1; }
	cd tools && npm ci --no-audit --no-fund --ignore-scripts
	@touch $@

bench: ## Run the benchmarks (BENCH=pattern, COUNT=n); compares with the run before
	@mkdir -p bin/bench; [ ! -f bin/bench/new.txt ] || mv bin/bench/new.txt bin/bench/old.txt
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -benchtime $(BENCHTIME) -count $(COUNT) -timeout 60m ./... | tee bin/bench/new.txt
	@if [ -f bin/bench/old.txt ]; then $(MAKE) --no-print-directory $(TOOLS)/benchstat && $(TOOLS)/benchstat bin/bench/old.txt bin/bench/new.txt; fi

bench-peer: build bin/tusd ## Measure fileloft beside tusd, in turn, both without fsync (ROUNDS=5)
	$(GO) build -o bin/load ./internal/load
	tools/peer/compare.sh

bench-peer-s3: build servers bin/tusd ## The same on an S3 server (ROUNDS=5 STATE=sqlite|dynamodb)
	$(GO) build -o bin/load ./internal/load
	tools/peer/compare-s3.sh

bin/tusd: tools/peer/go.mod tools/peer/go.sum
	CGO_ENABLED=0 GOFLAGS=-mod=mod $(GO) -C tools/peer build -trimpath -o "$(CURDIR)/$@" github.com/tus/tusd/v2/cmd/tusd

# The S3 server that s3store is tested against.
bin/versitygw: tools/versitygw/go.mod tools/versitygw/go.sum
	@echo "building $@"; mkdir -p bin
	@CGO_ENABLED=0 $(GO) -C tools/versitygw build -trimpath -o "$(CURDIR)/$@" github.com/versity/versitygw/cmd/versitygw

# A GCS server that others wrote, for a walk over gcsstore's requests.
bin/fakegcs: tools/fakegcs/go.mod tools/fakegcs/go.sum
	@echo "building $@"; mkdir -p bin
	@CGO_ENABLED=0 $(GO) -C tools/fakegcs build -trimpath -o "$(CURDIR)/$@" github.com/fsouza/fake-gcs-server

# What firestorestate is tested against: Google's emulator, which needs Java.
bin/cloud-firestore-emulator.jar:
	@tools/firestore/install.sh "$@"

# What explores the model of the lease protocol: Debian's, or the one that is installed. It needs a C compiler.
bin/spin:
	@tools/spin/install.sh "$@"

model: bin/spin ## Explore the model of the lease protocol in its long form: minutes
	MODEL=long $(GO) test ./internal/model -count 1 -timeout 60m -v

fuzz: ## Run each fuzz target for FUZZTIME (default 30s)
	@for pkg in $$($(GO) list ./...); do \
		listed=$$($(GO) test -list '^Fuzz' "$$pkg"); \
		for target in $$(grep '^Fuzz' <<<"$$listed" || true); do \
			echo "=== $$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) "$$pkg"; \
		done; \
	done

# What fuzzing found interesting lies in Go's cache until it is kept. The tests play it each time.
corpus: ## Keep what fuzzing found, in testdata/fuzz of each package
	@found="$$($(GO) env GOCACHE)/fuzz/$$($(GO) list -m)"; \
	find "$$found" -mindepth 2 -type d -name 'Fuzz*' -printf '%P\n' | while read -r target; do \
		mkdir -p "$$(dirname "$$target")/testdata/fuzz/$$(basename "$$target")"; \
		cp -n "$$found/$$target/"* "$$(dirname "$$target")/testdata/fuzz/$$(basename "$$target")/"; \
	done

build: ## Build the binaries into bin/ and print their sizes
	@mkdir -p bin
	@for dir in cmd/*/; do \
		name=$$(basename "$$dir"); \
		CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o "bin/$$name" "./$$dir"; \
		printf '%-20s %6.1f MiB\n' "bin/$$name" "$$(wc -c <"bin/$$name" | awk '{ print $$1 / 1048576 }')"; \
	done

# One backend's server, or all of them in one: build tags say what is linked.
BACKEND     ?= all
SERVER_ARCH ?= amd64
SERVER      ?= dist/server-$(BACKEND)-$(SERVER_ARCH)
server: ## Build the server for one backend: BACKEND=s3 SERVER_ARCH=arm64
	@mkdir -p "$$(dirname "$(SERVER)")"
	@CGO_ENABLED=0 GOOS=linux GOARCH=$(SERVER_ARCH) $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' \
		$(if $(filter all,$(BACKEND)),,-tags backend_$(BACKEND)) -o "$(SERVER)" ./cmd/fileloft

# The two ways to an image. The first needs a container engine.
BACKENDS := fs s3 gcs azure all
docker-build: docker-build-all ## Build the container images with docker: docker-build-fs, -s3, -gcs, -azure, -all
docker-build-%: FORCE
	$(call known,$*)
	docker build --build-arg BACKEND=$* --build-arg STORAGE=$(filter-out all,$*) --build-arg VERSION=$(VERSION) \
		-t fileloft:$(if $(filter all,$*),latest,$*) .

image: image-all ## Build the container images without an engine: image-fs, -s3, -gcs, -azure, -all (SERVER_ARCH=arm64)
image-%: FORCE bin/image
	$(call known,$*)
	@$(MAKE) --no-print-directory server BACKEND=$*
	@bin/image -backend $* -arch $(SERVER_ARCH) -version $(VERSION) dist/image-$*-$(SERVER_ARCH).tar dist/server-$*-$(SERVER_ARCH)

known = $(if $(filter $1,$(BACKENDS)),,$(error $1 is no backend; there are $(BACKENDS)))
FORCE:

bin/image: tools/image/main.go tools/image/go.mod tools/image/go.sum
	@CGO_ENABLED=0 $(GO) -C tools/image build -trimpath -o "$(CURDIR)/$@" .

# The functions. AWS: one program for every door and for the schedule, arm64 and amd64 as Go names them. Azure, which has no arm64: the
# custom handler with the files that tell the host of it.
package: ## Build dist/lambda-{arm64,amd64}.zip for AWS and dist/azure-amd64.zip for Azure, and print their sizes
	@for arch in arm64 amd64; do \
		$(MAKE) --no-print-directory lambda-bootstrap LAMBDA_ARCH=$$arch OUT=dist/lambda-$$arch/bootstrap; \
		$(GO) run ./internal/lambdazip dist/lambda-$$arch.zip dist/lambda-$$arch/bootstrap; \
	done
	@$(MAKE) --no-print-directory azure-handler
	@$(GO) run ./internal/azurezip dist/azure-amd64.zip "$(AZURE_OUT)" functions/azure

# What the platform's builder makes the functions from: it wants sources, not a program.
GCF_SOURCE ?= dist/gcf-source.zip
gcf-source: ## Build dist/gcf-source.zip for Google Cloud, and print its size
	@mkdir -p "$$(dirname "$(GCF_SOURCE)")"
	@$(GO) run ./internal/gcfzip "$(GCF_SOURCE)"

lambda-local: servers ## Run the Lambda function on this machine behind the four services of AWS (ARGS='-kill 5s')
	@$(GO) build -o bin/lambdalocal ./internal/lambdalocal
	@exec bin/lambdalocal $(ARGS)

# No cgo: it would bind the program to this machine's C library. lambda.norpc leaves out what only the go1.x runtime needed.
# No VCS stamp and no release: the same sources make the same bytes, and a deployment shows whether anything has changed.
LAMBDA_ARCH ?= arm64
OUT         ?= dist/lambda-$(LAMBDA_ARCH)/bootstrap
lambda-bootstrap:
	@mkdir -p "$$(dirname "$(OUT)")"
	@CGO_ENABLED=0 GOOS=linux GOARCH=$(LAMBDA_ARCH) $(GO) build -trimpath -buildvcs=false -tags lambda.norpc \
		-ldflags '-s -w' -o "$(OUT)" ./functions/lambda

# As for AWS, the same sources make the same bytes.
AZURE_OUT ?= dist/azure-amd64/handler
azure-handler:
	@mkdir -p "$$(dirname "$(AZURE_OUT)")"
	@CGO_ENABLED=0 GOOS=linux GOARCH=amd64 $(GO) build -trimpath -buildvcs=false -ldflags '-s -w' -o "$(AZURE_OUT)" ./functions/azure

# Schedules of the whole engine under a simulated scheduler, network and clock: see internal/sim. One that fails prints its seed.
SCHEDULES ?= 1000000
SEED      ?= 1
VARIANTS  ?= 12
sim: ## Play SCHEDULES (default 1000000) simulated schedules with faults from SEED on, and a twentieth of it, and all orders of races, over each cloud's driver
	$(GO) test ./internal/sim -run '^TestSchedules$$' -v -count 1 -timeout 0 -args -sim.n $(SCHEDULES) -sim.seed $(SEED)
	$(GO) test ./internal/sim -run '^TestMeetings$$' -v -count 1 -timeout 0 -args -sim.turns 3
	for driver in s3store gcsstore azurestore; do \
		$(GO) test ./storage/$$driver -run '^TestOrders$$' -v -count 1 -timeout 0 -args -sim.variants $(VARIANTS) || exit; \
		$(GO) test ./storage/$$driver -run '^TestSchedules$$' -v -count 1 -timeout 0 -args -sim.n $$(( ($(SCHEDULES) + 19) / 20 )) -sim.seed $(SEED) || exit; \
	done

# All evidence of docs/guarantees.md in its long form. Each part can be run alone.
PROOF_REPORT   ?= $(CURDIR)/bin/proof.json
PROOF_FUZZTIME ?= 1h
proof: sim model proof-replicas proof-requests ## The whole proof, some three hours: simulation, model, replicas over real stores, fuzzed requests

proof-replicas: clients servers bin/tusd ## Replicas over real stores under all kinds of trouble, and tusd; writes the tables into docs/guarantees.md
	PROOF=long REQUIRE_EMULATORS=1 PROOF_REPORT="$(PROOF_REPORT)" PROOF_COMMIT="$(VERSION)" \
		$(GO) test ./internal/proof -count 1 -timeout 3h -v -run '^(TestProof|TestTheFenceIsNeeded|TestTusd)$$'
	PROOF_REPORT="$(PROOF_REPORT)" PROOF_UPDATE=1 $(GO) test ./internal/proof -count 1 -run '^TestReport$$'

proof-requests: ## Fuzz whole requests for PROOF_FUZZTIME (default 1h)
	$(GO) test ./internal/prototest -run '^$$' -fuzz '^FuzzRequest$$' -fuzztime $(PROOF_FUZZTIME)

docs: ## Write the tables of settings, of the protocol and of metrics into README.md and docs
	$(GO) test ./internal/app -run '^TestTheREADMEHasTheSettings$$' -count 1 -update
	$(GO) test ./internal/prototest -run '^TestTheProtocolPageHasTheRows$$' -count 1 -update
	$(GO) test ./internal/metrics -run '^TestThePageHasAllMetrics$$' -count 1 -update

cost: servers ## Count what a GiB costs, and write the tables into docs/cost.md
	$(GO) test ./internal/ledger -count 1 -update

vuln: $(TOOLS)/govulncheck ## Look for known vulnerabilities (asks the Go vulnerability database)
	$(TOOLS)/govulncheck ./...

tools: $(addprefix $(TOOLS)/,gofumpt golangci-lint govulncheck benchstat) ## Build the pinned Go tools into bin/tools

# Each tool is built from tools/go.mod, whose dependencies are not the product's.
$(TOOLS)/golangci-lint: PKG := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(TOOLS)/gofumpt:       PKG := mvdan.cc/gofumpt
$(TOOLS)/govulncheck:   PKG := golang.org/x/vuln/cmd/govulncheck
$(TOOLS)/benchstat:     PKG := golang.org/x/perf/cmd/benchstat
$(TOOLS)/%: tools/go.mod tools/go.sum
	@echo "building $@"; mkdir -p $(TOOLS)
	@CGO_ENABLED=0 $(GO) -C tools build -trimpath -o "$(CURDIR)/$@" $(PKG)

clean: ## Remove what was built and installed
	rm -rf bin dist tools/node_modules
