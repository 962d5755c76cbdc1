# Storex. `make help` lists every target.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Byte code is kept, whatever the caller's shell says: every process of a mesh would compile the whole house anew.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
INCIDENT ?= lock.row_blocker
KEEP ?=
BENCH ?=

.PHONY: help setup engine demo test verify lint format proto docs proto-check bench eval clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) engine ## Create the virtual environment and find a database engine

$(STAMP): pyproject.toml constraints.txt scripts/setup-venv.sh
	@scripts/setup-venv.sh "$(PYTHON)" "$(VENV)"
	@touch $@

engine:
	@scripts/setup-engine.sh

demo: setup ## Inject a real incident and watch it being investigated (INCIDENT=id, KEEP=1)
	@$(BIN)/storex demo --incident "$(INCIDENT)" $(if $(KEEP),--keep)

test: setup lint ## Lint, then run the tests, a core of them on every engine found (at most 12 minutes on 2 cores)
	@$(BIN)/pytest -n 3 --no-loadscope-reorder -m "not slow" tests

verify: test ## Everything that `make test` runs, then the long suites, one at a time
	@$(BIN)/pytest -m slow tests

lint: $(STAMP) proto-check ## Formatting, style, types, import rules, contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache > /dev/null || $(BIN)/lint-imports --no-cache
	@$(BIN)/python scripts/document_catalogue.py --check

format: $(STAMP) ## Format the code and the protos
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/buf format -w

proto: $(STAMP) ## Generate the stubs in gen/ from proto/
	@$(BIN)/buf format -w
	@$(BIN)/python scripts/generate.py

docs: $(STAMP) ## Write the reference pages that are made from the code
	@$(BIN)/python scripts/document_catalogue.py

proto-check: $(STAMP)
	@$(BIN)/buf format --diff --exit-code
	@$(BIN)/buf lint
	@$(BIN)/buf breaking --against proto/image.binpb
	@$(BIN)/python scripts/generate.py --check

bench: setup ## Measure, as ratios against a baseline in the same run (BENCH=name)
	@$(BIN)/python -m tests.bench $(BENCH)

eval: setup ## Show that the gate keeps worse agents out, on worlds of the lab's incidents (at most 30 minutes)
	@$(BIN)/python -m tests.evaluation

clean: ## Remove the virtual environment and everything generated locally
	@rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache bench/results.jsonl
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
