# make setup   install or find LibTorch and the system libraries
# make build   the command-line tool in release, .build/release/antidote
# make demo    poison, train, purify and report on the built-in data set
# make test    all tests
# make torture kills processes at random moments and compares what they end with (ANTIDOTE_KILLS=200, ANTIDOTE_KILL_SEED=1)
# make slurm   runs the smoke grid through a SLURM of one node that it installs and starts (Debian, as root)
# make kubernetes checks the Kubernetes job file of the smoke grid against the schema (pip's kubernetes-validate)
# make fuzz    damaged files for every reader (FUZZ_SECONDS=600, FUZZ_SEED=1, FUZZ_READER=name,name)
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: setup build demo test torture slurm kubernetes fuzz bench format lint example clean

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

# One thread: tensors in tests are small, and threads that wait for each other on a busy machine take many times as long.
# What needs two sets Runtime.threadCount or --threads itself.
test: setup
	@source $(DEPS); swift build $(SWIFT_FLAGS) --build-tests; OMP_NUM_THREADS=1 swift test $(SWIFT_FLAGS) --skip-build --no-parallel

torture: setup
	@source $(DEPS); swift build $(SWIFT_FLAGS) --build-tests; export OMP_NUM_THREADS=1; \
	  export ANTIDOTE_KILLS=$${ANTIDOTE_KILLS:-200} ANTIDOTE_GRID_KILLS=$${ANTIDOTE_GRID_KILLS:-20}; \
	  swift test $(SWIFT_FLAGS) --skip-build --no-parallel --filter 'CLITests.(Kill|GridKill)Tests'

slurm: build
	@source $(DEPS); scripts/slurm

kubernetes: build
	@source $(DEPS); scripts/kubernetes

# An input that ends the process stays in the folder; FUZZ_READER=<name> FUZZ_INPUT=<path> tries it again.
FUZZ_FOLDER ?= .build/fuzz
fuzz: setup
	@source $(DEPS); swift build $(SWIFT_FLAGS) --build-tests; export OMP_NUM_THREADS=1; \
	  export FUZZ_SECONDS=$${FUZZ_SECONDS:-600} FUZZ_FOLDER=$(FUZZ_FOLDER); \
	  swift test $(SWIFT_FLAGS) --skip-build --no-parallel --filter FuzzTests || { code=$$?; \
	  echo "last input: $(FUZZ_FOLDER)/input, for the reader $$(cat $(FUZZ_FOLDER)/reader)"; exit $$code; }

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
