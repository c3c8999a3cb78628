# make test     everything that must pass; brings what it needs where it may
# make check    format, vet and linters; the first run builds golangci-lint
# make bench    every benchmark, beside its target; docs/benchmarks.md explains
# make sim      SEEDS simulated worlds and every planted bug; docs/simulation.md explains
# make fuzz     every fuzz target for FUZZTIME each
# make build    one static binary, ./gapless
# make clean    removes what build left

GO       ?= go
FUZZTIME ?= 30s
SEEDS    ?= 10000
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT   ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)

GOLANGCI_LINT = $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# The race detector needs a C compiler with its headers. Asked for when used,
# after `needs`. It watches all but SQLite itself, machine-made Go that would take
# two thirds of the tests' time.
C_WORKS   = gcc -include stdlib.h -E -x c /dev/null >/dev/null 2>&1
UNWATCHED = -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc=-race=false
RACE      = $(shell $(C_WORKS) && echo -race $(UNWATCHED))

.PHONY: test needs check bench sim fuzz build clean

# Two packages at a time: some start a Tryton or a whole appliance, and would
# starve one another. The longest begins first. The tests that need a Tryton
# install it themselves.
test: needs
	$(GO) vet ./...
	CGO_ENABLED=$(if $(RACE),1,0) $(GO) test $(RACE) -vet=off -timeout 40m -p 2 ./sync ./...

# Installs with apt what is missing, as root or with sudo. Where that is not
# possible, CI fails; elsewhere it says what will not be tested.
needs:
	@command -v $(GO) >/dev/null || { echo "Go is missing; install it from https://go.dev/dl"; exit 1; }
	@missing() { \
		$(C_WORKS) || printf 'gcc '; \
		for tool in node npm chromium; do command -v $$tool >/dev/null || printf '%s ' $$tool; done; \
	}; \
	if [ -n "$$(missing)" ]; then \
		packages=$$(missing | sed 's/gcc/gcc libc6-dev/; s/node/nodejs/'); \
		sudo=; [ "$$(id -u)" -eq 0 ] || sudo="sudo -n"; \
		echo "installing $$packages"; \
		{ $$sudo apt-get update -qq && \
		  $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$packages; } >/dev/null || true; \
	fi; \
	for tool in $$(missing); do \
		case $$tool in \
			gcc) echo "SKIPPED: the race detector, since gcc or libc6-dev is missing" ;; \
			chromium) echo "SKIPPED: the walk through the pages in a real browser, since chromium is missing" ;; \
			npm) echo "SKIPPED: the check of our GraphQL documents against Shopify's schema and of pages by axe-core, since npm is missing" ;; \
			*)   echo "SKIPPED: the check of our GraphQL documents against Shopify's schema, since $$tool is missing" ;; \
		esac; \
		[ "$$CI" != true ] || { echo "CI must not skip: install $$tool"; exit 1; }; \
	done

check:
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	$(GO) mod tidy -diff
	$(GO) vet ./...
	$(GOLANGCI_LINT) run ./...

# One package at a time, on a machine that does nothing else.
bench: build
	$(GO) test -run '^$$' -bench . -timeout 40m -p 1 ./...

sim:
	$(GO) test ./sync -run '^TestSim' -timeout 4h -v -seeds $(SEEDS) -planted

fuzz:
	@for package in $$($(GO) list ./...); do \
		found=$$($(GO) test -list '^Fuzz' $$package) || { echo "$$found"; exit 1; }; \
		for target in $$(echo "$$found" | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5s $$package || exit 1; \
		done; \
	done

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)' -o gapless .

clean:
	rm -f gapless
