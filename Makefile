# The two commands of the README are `make demo` and `make test`; `make help` lists the rest.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check fmt bench clean
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

help: ## list the commands
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 16

setup: $(STAMP) ## create .venv and install everything (skipped when nothing changed)

$(STAMP): pyproject.toml constraints.txt ci/setup.sh
	@ci/setup.sh "$(PYTHON)" $(VENV)
	@touch $(STAMP)

demo: setup ## faces -> training -> four artefacts -> parity report -> Swift package, in minutes
	@ci/demo.sh $(BIN)

test: setup ## every test, Python and Swift; ARGS="tests/fer_train -k resume" runs a part
	@ci/test.sh $(BIN) $(ARGS)

check: setup ## formatting, lints, types and import rules
	@ci/check.sh $(BIN)

fmt: setup ## format Python and Swift sources in place
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .
	@if command -v swift >/dev/null; then swift format -i -r Package.swift swift/EmotionKit; fi

bench: setup ## speed, as ratios against the obvious alternative
	@for script in benchmarks/runtime.py benchmarks/train.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done
	@if command -v swift >/dev/null; then benchmarks/swift.sh; fi

clean: ## remove what the commands above made
	rm -rf $(VENV) .build .build-stubs demo build
