# `make preview` and `make test` make their own virtual environment; both are quick the second time.
PYTHON ?= python3
STACK ?= dev
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help preview check describe-model schema reference test test-cluster test-engine lint types lock bench-plan bench-preview clean

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(READY): requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which with PYTHON=...")'
	@echo "Making the virtual environment in $(VENV) (once, about a minute)..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

preview: $(READY) ## Plan the stack and show what would be created: STACK=dev
	@$(BIN)/python -m tools.preview $(STACK)

check: $(READY) ## Plan only, in under a second: STACK=dev
	@$(BIN)/python -m tools.preview $(STACK) --plan-only

describe-model: $(READY) ## Print a model's catalogue row: MODEL=<Hugging Face id or path of a config.json>
	@$(BIN)/python -m tools.describe_model $(MODEL)

schema: $(READY) ## Write the JSON Schema of the stack configuration
	@$(BIN)/python -m tools.schema

reference: $(READY) ## Write docs/reference.md from the settings models
	@$(BIN)/python -m tools.reference

test: $(READY) ## Run the tests that need nothing but Python
	@$(BIN)/python -m pytest -n auto tests/unit tests/program

test-cluster: $(READY) ## Run the tests on a real Kubernetes API (needs Go; or CONTEXT=<a kubeconfig's context>)
	@$(BIN)/python -m tests.cluster.binaries
	@$(BIN)/python -m pytest -n auto --dist loadgroup tests/cluster

test-engine: $(READY) ## Run the tests on Pulumi's engine (needs Go, and pulumi with its Kubernetes provider on PATH)
	@$(BIN)/python -m pytest -n 3 --dist loadfile -rs tests/engine

lint: $(READY) ## Format check, lint, layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports

types: $(READY) ## Type check
	@$(BIN)/ty check --python $(VENV)

lock: $(READY) ## Pin requirements*.in, with what they pull in
	@for name in requirements requirements-dev; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --custom-compile-command "make lock" $$name.in -o $$name.txt; done

bench-plan: $(READY) ## Time of the plan, by number of models
	@$(BIN)/python -m tools.bench plan

bench-preview: $(READY) ## Time and memory of the offline preview, by number of models
	@$(BIN)/python -m tools.bench preview

clean: ## Remove the virtual environment and everything built
	@rm -rf $(VENV) build .pytest_cache .ruff_cache .hypothesis
