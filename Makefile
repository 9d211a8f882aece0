# Two commands: `make demo` and `make test`. Each installs what is missing (scripts/setup.sh), builds, runs.
#   make                     build/florin
#   make demo [SIZE=small]   simulate, import, pretrain, fit, score, report: demo/report.html
#   make test                the fast tests; make test-all adds the long ones
#   make bench               every benchmark; make bench-NAME one of them. VALID=1: validation data only
#   make bench-serve         the server on one core: decisions a second, latency, beside FastAPI + ONNX Runtime
#   make bench-quality       every bar of quality, resumable
#   make bench-durability    kills, recovery, what sync costs
#   make bench-tasks         the catalogue of tasks (florin tasks), resumable
#   make bench-ablate        which choice pays, and scaling (florin ablate), resumable
#   make bench-few           few labels, over the tasks on real data, resumable
#   make bench-peers         install what the benchmarks compare with, pinned (needs PyPI)
#   make results             docs/results.md from the lines kept in bench/results/
#   make check               dependency rules and format; make format, make fuzz, make install [PREFIX=...]
SHELL = /bin/bash
BUILD ?= build
PREFIX ?= /usr/local
SIZE ?=
VALID ?=
SEQ ?=
FUZZ_SECONDS ?= 20
JOBS := $(shell nproc)
CMAKE_ARGS ?=
export VALID SEQ SIZE

.PHONY: all build setup demo test test-all bench bench-import bench-fold bench-train bench-embed bench-score bench-policy bench-backtest \
	bench-replay bench-state bench-durability bench-precision bench-handbook bench-behaviour bench-items bench-berka bench-amlsim bench-tasks bench-ablate \
	bench-habits bench-checks bench-finetune bench-quality bench-serve bench-backbones bench-peers results format check fuzz install clean

all: build

setup:
	@scripts/setup.sh

$(BUILD)/build.ninja: CMakeLists.txt tests/CMakeLists.txt | setup
	cmake -S . -B $(BUILD) -G Ninja $(CMAKE_ARGS)

build: setup $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

demo: build
	@scripts/demo.sh $(SIZE)

test: build
	@cd $(BUILD) && ctest --output-on-failure -j $(JOBS) -LE long

test-all: build
	@cd $(BUILD) && ctest --output-on-failure -j $(JOBS)

bench: bench-import bench-fold bench-train bench-embed bench-score bench-policy bench-backtest bench-replay bench-state bench-durability bench-precision bench-behaviour bench-items bench-amlsim bench-handbook

bench-import: build
	@bench/run.sh import
bench-fold: build
	@bench/run.sh fold
bench-train: build
	@bench/run.sh train
bench-embed: build
	@bench/run.sh embed
bench-score: build
	@bench/run.sh score
bench-backtest: build
	@bench/run.sh backtest
bench-policy: build
	@bench/run.sh policy
bench-replay: build
	@bench/run.sh replay
bench-durability: build
	@bench/run.sh durability
bench-state: build
	@bench/run.sh state
bench-precision: build
	@bench/run.sh precision
bench-handbook: build
	@bench/run.sh handbook
bench-behaviour: build
	@bench/run.sh behaviour
bench-items: build
	@bench/run.sh items
bench-berka: build
	@bench/run.sh berka
bench-habits: build
	@bench/run.sh habits
bench-checks: build
	@bench/run.sh checks
bench-finetune: build
	@bench/run.sh finetune
bench-quality: build
	@bench/run.sh quality
bench-amlsim: build
	@bench/run.sh amlsim
bench-backbones: build
	@bench/run.sh backbones
bench-tasks: build
	@bench/tasks.sh
bench-few: build
	@bench/run.sh few
bench-serve: build
	@bench/run.sh serve

bench-ablate: build
	@bench/ablate.sh

bench-peers:
	@bench/peers/install.sh

results:
	@scripts/results.sh

format:
	@scripts/check-format.sh --fix

check:
	@scripts/check-deps.sh
	@scripts/check-format.sh

fuzz:
	@scripts/setup.sh --checks
	@scripts/fuzz.sh $(FUZZ_SECONDS)

install: build
	cmake --install $(BUILD) --prefix $(PREFIX)

clean:
	rm -rf $(BUILD) build-*
