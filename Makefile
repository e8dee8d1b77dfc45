# make setup   install or find LibTorch and the system libraries
# make build   the command-line tool in release, .build/release/antidote
# make demo    poison, train, purify and report on the built-in data set
# make test    all tests
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: setup build demo test bench format lint example clean

DEPS := .deps/env
# The run-time path of LibTorch: SwiftPM takes the rest from pkg-config, but not this.
# Tests look inside modules; one set of flags for all targets lets them share one build.
SWIFT_FLAGS = -c release -Xswiftc -enable-testing -Xlinker -rpath -Xlinker "$$ANTIDOTE_LIBTORCH/lib"

setup: $(DEPS)
$(DEPS): scripts/setup
	@scripts/setup

build: setup
	@source $(DEPS); swift build $(SWIFT_FLAGS) --product antidote

demo: build
	@source $(DEPS); .build/release/antidote demo

test: setup
	@source $(DEPS); swift build $(SWIFT_FLAGS) --build-tests; swift test $(SWIFT_FLAGS) --skip-build --no-parallel

bench: build
	@source $(DEPS); .build/release/antidote bench --compare

SWIFT_FILES = Package.swift Sources Tests $(wildcard Examples/*/Package.swift Examples/*/Sources)
format:
	@swift format --in-place --recursive --parallel $(SWIFT_FILES)
lint:
	@swift format lint --strict --recursive --parallel $(SWIFT_FILES)

example: setup
	@source $(DEPS); cd Examples/Purify; swift run $(SWIFT_FLAGS) Purify

clean:
	@rm -rf .build
