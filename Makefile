# Targets make the virtual environment that they need: `make preview` the program's, `make test` adds what tests need. Both are quick the
# second time.
PYTHON ?= python3
STACK ?= dev
PORT ?= 8080
MODEL_SERVER ?= stand-in
VENV := .venv
BIN := $(VENV)/bin
# What is installed: the program with its preview, and all that tests and tools need.
PROGRAM := $(VENV)/.program
READY := $(VENV)/.ready
# Pulumi's policy SDK wants older libraries than the program.
PACK := policy/.venv/.ready
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes

# `--option "value"` where the variable OPTION is given.
given = $(if $($(shell echo $(1) | tr a-z A-Z)),--$(1) "$($(shell echo $(1) | tr a-z A-Z))")

.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*\#\# .*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(PROGRAM): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which with PYTHON=...")'
	@echo "Making the virtual environment in $(VENV) (once, about a minute)..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) -r requirements.txt
	@touch $@

$(READY): requirements-dev.txt $(PROGRAM)
	@echo "Adding what tests and tools need to $(VENV) (once, about a minute)..."
	@$(PIP) -r requirements-dev.txt
	@touch $@

$(PACK): policy/requirements.txt
	@$(PYTHON) -m venv policy/.venv
	@policy/.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r policy/requirements.txt
	@touch $@

preview: $(PROGRAM) ## Plan the stack and show what would be created: STACK=dev (BASE=<git ref>: its report says what changes)
	@$(BIN)/python -m $(if $(BASE),tools.review $(STACK) --base "$(BASE)" --format html,tools.preview $(STACK))

check: $(PROGRAM) ## Plan only, in under a second: STACK=dev
	@$(BIN)/python -m tools.preview $(STACK) --plan-only

new-stack: $(PROGRAM) ## Write a stack file that works: NAME= PROJECT= REGION= MODELS="<ids>" (CONTEXT= FLOOR= CEILING= CLIENTS=); asks for what is missing
	@$(BIN)/python -m tools.new_stack $(NAME) $(foreach option,project region models context floor ceiling clients,$(call given,$(option)))

diff: $(PROGRAM) ## What the working tree changes against BASE=<git ref>: STACK=dev, or STACK="dev prod" (FORMAT=markdown, json or html)
	@$(BIN)/python -m tools.review $(STACK) --base "$(BASE)" $(if $(FORMAT),--format $(FORMAT))

answers: $(READY) ## Ask a real vLLM what the stand-in is held to (needs a `vllm` on PATH that serves here)
	@$(BIN)/python -m tools.pinned_vllm answers

doctor: $(READY) ## Explain what keeps a deployed stack from serving: STACK=dev (CONTEXT=<a kubeconfig's context>)
	@$(BIN)/python -m tools.doctor $(STACK) $(if $(CONTEXT),--context $(CONTEXT))

load: $(READY) ## Test a deployed model under load, step by step, beside the plan: STACK=dev MODEL=<key> (CLIENT= CONTEXT= URL= DRY_RUN=1)
	@$(BIN)/python -m tools.load $(STACK) $(if $(MODEL),--model $(MODEL)) $(if $(CLIENT),--client $(CLIENT)) \
	  $(if $(CONTEXT),--context $(CONTEXT)) $(if $(URL),--url $(URL)) $(if $(DRY_RUN),--dry-run)

simulate: $(READY) ## Replay a trace against a planned model, policy by policy: STACK=dev MODEL=<key> TRACE=<csv, or day:5> POLICY=ours (MULTIPLY= CEILING= PARETO=1)
	@$(BIN)/python -m tools.simulate $(STACK) $(if $(MODEL),--model "$(MODEL)") $(if $(TRACE),--trace "$(TRACE)") \
	  $(if $(POLICY),--policy "$(POLICY)") $(if $(MULTIPLY),--multiply $(MULTIPLY)) $(if $(CEILING),--ceiling $(CEILING)) $(if $(PARETO),--pareto)

advise: $(READY) ## Find the floor and the ceiling that serve a trace at the least cost: STACK=dev MODEL=<key> TRACE=<csv, or day:5> (ATTAIN=0.99 TTFT= TPOT=)
	@$(BIN)/python -m tools.simulate.advise $(STACK) $(if $(MODEL),--model "$(MODEL)") $(if $(TRACE),--trace "$(TRACE)") \
	  $(if $(MULTIPLY),--multiply $(MULTIPLY)) $(if $(ATTAIN),--attain $(ATTAIN)) $(if $(TTFT),--ttft $(TTFT)) $(if $(TPOT),--tpot $(TPOT))

reconcile: $(READY) ## Hold the plan against what runs: STACK=dev PROMETHEUS=http://127.0.0.1:9090 (HOURS=24)
	@$(BIN)/python -m tools.reconcile $(STACK) --prometheus "$(PROMETHEUS)" $(if $(HOURS),--hours $(HOURS))

describe-model: $(READY) ## Print a model's catalogue row: MODEL=<Hugging Face id or path of a config.json>
	@$(BIN)/python -m tools.catalogue.describe_model $(MODEL)

truth: $(PROGRAM) ## Hold the plan against measured points: MEMORY=<csv> THROUGHPUT=<csv> CONFIGS=<folder of config.json files>
	@$(BIN)/python -m tools.truth $(if $(MEMORY),--memory "$(MEMORY)") $(if $(THROUGHPUT),--throughput "$(THROUGHPUT)") $(if $(CONFIGS),--configs "$(CONFIGS)")

calibrate: $(PROGRAM) ## Print what a start-up log of vLLM measured, for the plan to use: LOG=<file> (GPU=<name>)
	@$(BIN)/python -m tools.catalogue.calibrate "$(LOG)" $(if $(GPU),--gpu "$(GPU)")

fit: $(PROGRAM) ## Fit the constants of planning/performance.py to measured points, with the errors on what is left out: THROUGHPUT=<csv> TEST=<csv>
	@$(BIN)/python -m tools.truth.fit $(if $(THROUGHPUT),--throughput "$(THROUGHPUT)") $(if $(TEST),--test "$(TEST)") $(if $(CONFIGS),--configs "$(CONFIGS)")

schema: $(PROGRAM) ## Write the JSON Schema of the stack configuration
	@$(BIN)/python -m tools.reference.schema

reference: $(PROGRAM) ## Write docs/reference.md from the settings models
	@$(BIN)/python -m tools.reference

rendered: $(PROGRAM) ## Write what the shipped stacks become, for a reviewer and a test to compare (tests/data/rendered)
	@$(BIN)/python -m tools.preview.rendered

test: $(READY) ## Run the tests that need nothing but Python
	@$(BIN)/python -m pytest -n auto tests/unit tests/program tests/dataplane

policy-pack: $(PACK) ## Install what `pulumi preview --policy-pack policy` needs, in policy/.venv

test-policy: $(READY) $(PACK) ## Run the tests of the policy pack on Pulumi's policy SDK
	@$(BIN)/python -m pytest -n 0 tests/policy

test-browser: $(READY) ## Run the tests of the HTML report in the system's Chromium or Chrome
	@$(BIN)/python -m pytest -n 2 -rs tests/browser

test-cluster: $(READY) ## Run the tests on a real Kubernetes API (needs Go; or CONTEXT=<a kubeconfig's context>)
	@$(BIN)/python -m tests.cluster.binaries
	@$(BIN)/python -m pytest -n $(if $(CONTEXT),0,auto) --dist loadfile tests/cluster

test-mutations: $(READY) ## Show what the cluster tier catches and no tier before it does (needs Go)
	@$(BIN)/python -m tests.cluster.binaries
	@$(BIN)/python -m pytest -n auto tests/mutations

mutants: $(READY) ## Make random mistakes in planning/ and components/ and say how many the tests in process miss: COUNT=150 SEED=1 (NAMED=1)
	@$(BIN)/python -m tests.mutations.run $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED)) $(if $(NAMED),--named)

test-engine: $(READY) ## Run the tests on Pulumi's engine (needs Go, and pulumi with its Kubernetes provider on PATH)
	@$(BIN)/python -m pytest -n 3 --dist loadfile -rs tests/engine

test-charts: $(READY) ## Hold the values against the charts themselves: CHARTS=<folder of their archives> (helm on PATH renders them)
	@CHARTS="$(CHARTS)" $(BIN)/python -m pytest -n auto -rs tests/charts

lint: $(READY) ## Format check, lint, layers; the workflows
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/zizmor --offline --quiet --no-progress .github
	@if command -v go > /dev/null; then cd tests/workflows/modules/actionlint && go tool actionlint; \
	  else echo "actionlint is left out: there is no go on PATH"; fi

types: $(READY) ## Type check
	@$(BIN)/ty check --python $(VENV)

demo: $(READY) ## Run the gateway of a stack here, with stand-ins for its models: STACK=dev PORT=8080 MODEL_SERVER=vllm METRICS=1
	@$(BIN)/python -m tools.demo $(STACK) --port $(PORT) --models $(MODEL_SERVER) $(if $(METRICS),--metrics)

pictures: $(READY) ## Draw docs/images/ anew from a watched demonstration (needs prometheus; takes some minutes)
	@$(BIN)/python -m tools.demo.metrics

screenshots: $(READY) ## Draw docs/images/report*.png anew (needs Chromium or Chrome)
	@$(BIN)/python -m tools.preview prod > /dev/null
	@$(BIN)/python -m tools.preview.pictures prod

lock: $(READY) ## Pin requirements*.in, with what they pull in
	@for name in requirements requirements-dev policy/requirements; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --custom-compile-command "make lock" $$name.in -o $$name.txt; done

release: $(READY) ## Commit and tag a version, with the changelog's entries since the last one: VERSION=0.1.0
	@$(BIN)/bump-my-version bump --new-version "$(VERSION)"
	@echo "Push it with: git push --follow-tags"

digests: $(PROGRAM) ## Pin charts and images by digest, as their registries say now (CHECK=1: compare only)
	@$(BIN)/python -m tools.digests $(if $(CHECK),--check)

bench-plan: $(PROGRAM) ## Time of the plan, by number of models
	@$(BIN)/python -m tools.bench plan

bench-policy: $(READY) ## Compare the scaling policies on traces that they were not chosen on, and draw docs/images/policies: TRACE=<csv> (SEEDS=5; half an hour)
	@$(BIN)/python -m tools.simulate.bench --trace "$(TRACE)" $(if $(SEEDS),--seeds $(SEEDS))

bench-simulate: $(READY) ## Time that a simulated hour, day and week take (QUICK=1: the hour)
	@$(BIN)/python -m tools.simulate.speed $(if $(QUICK),--quick)

bench-preview: $(PROGRAM) ## Time and memory of the offline preview, by number of models
	@$(BIN)/python -m tools.bench preview

bench-diff: $(PROGRAM) ## Time and memory of `make diff` for one changed model, by number of models
	@$(BIN)/python -m tools.bench diff

bench-gateway: $(READY) ## Latency and throughput of the gateway against none, a TCP proxy and vllm-router (needs wrk; QUICK=1)
	@$(BIN)/python -m tools.bench.gateway $(if $(QUICK),--quick)

clean: ## Remove the virtual environment and everything built
	@rm -rf $(VENV) build .pytest_cache .ruff_cache .hypothesis
