# make setup   install or find LibTorch and the system libraries
# make build   the command-line tool in release, .build/release/antidote
# make demo    poison, train, purify and report on the built-in data set
# make test    all tests
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: setup build demo test bench format lint example clean

DEPS := .deps/env
# The run-time path of LibTorch: SwiftPM takes the rest from pkg-config, but not this.
SWIFT_FLAGS = -c release -Xlinker -rpath -Xlinker "$$ANTIDOTE_LIBTORCH/lib"

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

format:
	@swift format --in-place --recursive --parallel Package.swift Sources Tests Examples
lint:
	@swift format lint --strict --recursive --parallel Package.swift Sources Tests Examples

example: setup
	@source $(DEPS); cd Examples/Purify; swift run $(SWIFT_FLAGS) Purify

clean:
	@rm -rf .build
