# `make preview` and `make test` make their own virtual environment; both are quick the second time.
PYTHON ?= python3
STACK ?= dev
PORT ?= 8080
MODEL_SERVER ?= stand-in
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help preview check demo doctor describe-model truth fit calibrate schema reference test test-cluster test-mutations test-engine lint types pictures lock bench-plan bench-preview bench-gateway clean

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

doctor: $(READY) ## Explain what keeps a deployed stack from serving: STACK=dev (CONTEXT=<a kubeconfig's context>)
	@$(BIN)/python -m tools.doctor $(STACK) $(if $(CONTEXT),--context $(CONTEXT))

describe-model: $(READY) ## Print a model's catalogue row: MODEL=<Hugging Face id or path of a config.json>
	@$(BIN)/python -m tools.catalogue.describe_model $(MODEL)

truth: $(READY) ## Hold the plan against measured points: MEMORY=<csv> THROUGHPUT=<csv> CONFIGS=<folder of config.json files>
	@$(BIN)/python -m tools.truth $(if $(MEMORY),--memory "$(MEMORY)") $(if $(THROUGHPUT),--throughput "$(THROUGHPUT)") $(if $(CONFIGS),--configs "$(CONFIGS)")

calibrate: $(READY) ## Print what a start-up log of vLLM measured, for the plan to use: LOG=<file> (GPU=<name>)
	@$(BIN)/python -m tools.catalogue.calibrate "$(LOG)" $(if $(GPU),--gpu "$(GPU)")

fit: $(READY) ## Fit the constants of planning/performance.py to measured points, with the errors on what is left out: THROUGHPUT=<csv> TEST=<csv>
	@$(BIN)/python -m tools.truth.fit $(if $(THROUGHPUT),--throughput "$(THROUGHPUT)") $(if $(TEST),--test "$(TEST)") $(if $(CONFIGS),--configs "$(CONFIGS)")

schema: $(READY) ## Write the JSON Schema of the stack configuration
	@$(BIN)/python -m tools.reference.schema

reference: $(READY) ## Write docs/reference.md from the settings models
	@$(BIN)/python -m tools.reference

test: $(READY) ## Run the tests that need nothing but Python
	@$(BIN)/python -m pytest -n auto tests/unit tests/program tests/dataplane

test-cluster: $(READY) ## Run the tests on a real Kubernetes API (needs Go; or CONTEXT=<a kubeconfig's context>)
	@$(BIN)/python -m tests.cluster.binaries
	@$(BIN)/python -m pytest -n $(if $(CONTEXT),0,auto) --dist loadfile tests/cluster

test-mutations: $(READY) ## Show what the cluster tier catches and no tier before it does (needs Go)
	@$(BIN)/python -m tests.cluster.binaries
	@$(BIN)/python -m pytest -n auto tests/mutations

test-engine: $(READY) ## Run the tests on Pulumi's engine (needs Go, and pulumi with its Kubernetes provider on PATH)
	@$(BIN)/python -m pytest -n 3 --dist loadfile -rs tests/engine

lint: $(READY) ## Format check, lint, layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports

types: $(READY) ## Type check
	@$(BIN)/ty check --python $(VENV)

demo: $(READY) ## Run the gateway of a stack here, with stand-ins for its models: STACK=dev PORT=8080 MODEL_SERVER=vllm METRICS=1
	@$(BIN)/python -m tools.demo $(STACK) --port $(PORT) --models $(MODEL_SERVER) $(if $(METRICS),--metrics)

pictures: $(READY) ## Draw docs/images/ anew from a watched demonstration (needs prometheus; takes some minutes)
	@$(BIN)/python -m tools.demo.metrics

lock: $(READY) ## Pin requirements*.in, with what they pull in
	@for name in requirements requirements-dev; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --custom-compile-command "make lock" $$name.in -o $$name.txt; done

bench-plan: $(READY) ## Time of the plan, by number of models
	@$(BIN)/python -m tools.bench plan

bench-preview: $(READY) ## Time and memory of the offline preview, by number of models
	@$(BIN)/python -m tools.bench preview

bench-gateway: $(READY) ## Latency and throughput of the gateway against none, a TCP proxy and vllm-router (needs wrk; QUICK=1)
	@$(BIN)/python -m tools.bench.gateway $(if $(QUICK),--quick)

clean: ## Remove the virtual environment and everything built
	@rm -rf $(VENV) build .pytest_cache .ruff_cache .hypothesis
