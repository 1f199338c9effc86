# Everything a person runs. `make` alone lists it. The logic is in Python: nothing here is longer than a command.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-exhaustive lint bench bench-freshness bench-policy bench-learning chaos proto locks up down docs measured images k8s clean
PYTHON ?= python3
VENV := .venv/bin

help:  ## what there is to make
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{printf "  make %-16s %s\n", $$1, $$2}'

setup:  ## install everything into .venv and the user's cache; all others do it when it is due
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null || { \
	  echo "setup: Python 3.11 or newer is needed and '$(PYTHON)' is none: install it, or name one with PYTHON=/path/to/python3.11."; exit 1; }
	@$(PYTHON) -m devstack.bootstrap

demo: setup  ## the main job end to end on one screen; KEEP=1 stays up, DATA=directory replays real logs
	@$(VENV)/python -m demo $(if $(KEEP),--keep) $(if $(DATA),--data "$(DATA)")

test: setup  ## every test, on real Kafka, Redis and SMS operator; ARGS="-k name" for some, JOBS=2 for two files at a time
	@$(VENV)/python -m pytest $(if $(JOBS),-n $(JOBS) --dist loadfile) $(ARGS)

test-exhaustive: setup  ## features and interests against a brute-force oracle, 10,000 cases of each
	@HYPOTHESIS_PROFILE=exhaustive $(VENV)/python -m pytest --timeout 3600 tests/unit/enricher/test_against_oracle.py $(ARGS)

lint: setup  ## ruff, formatting, mypy strict, import contracts
	@$(VENV)/ruff check --quiet .
	@$(VENV)/ruff format --check --quiet .
	@$(VENV)/mypy --no-error-summary .
	@$(VENV)/lint-imports

bench: setup  ## measure decisions on this machine; PEERS=1 beside Feast and MLServer
	@$(VENV)/python -m bench $(if $(PEERS),--peers)

bench-freshness: setup  ## produced to readable in Redis beside Spark, and events a second; QUICK=1, ONLY="freshness throughput"
	@$(VENV)/python -m bench.freshness $(if $(QUICK),--quick) $(ONLY)

bench-policy: setup  ## whether caps, budgets, replays, explanations and shares hold; ONLY="races cost" for some
	@$(VENV)/python -m bench.policy $(ONLY)

bench-learning: setup  ## whether learning can be trusted, against a world whose truth is known; DATA=directory, ONLY="loop"
	@$(VENV)/python -m bench.learning $(if $(DATA),--data "$(DATA)") $(ONLY)

chaos: setup  ## break things under load and measure what becomes of answers; QUICK=1, ONLY="overload redis identity swaps enricher"
	@$(VENV)/python -m bench.chaos $(if $(QUICK),--quick) $(if $(FRONT),--front $(FRONT)) $(ONLY)

proto: setup  ## generate interlude/v1 from proto/
	@$(VENV)/python -m devstack.protos

docs: setup  ## write docs/metrics.md, settings.md, policy.md and the dashboard anew from the code
	@$(VENV)/python -m docs.generate
	@$(VENV)/python -m deploy.dashboards

measured: setup  ## write docs/measured.md from the newest measurements in var/measured
	@$(VENV)/python -m bench.render

locks: setup  ## write requirements/*.txt and devstack/jars.lock anew, with hashes
	@$(VENV)/python -m devstack.locks

up: setup  ## leave the whole system running; addresses in var/run/endpoints.json
	@$(VENV)/python -m devstack up

down: setup  ## end what `make up` started
	@$(VENV)/python -m devstack down

images:  ## build the container images
	@deploy/images/build.sh

k8s:  ## print the Kubernetes manifests
	@kubectl kustomize deploy/k8s/base

clean:  ## remove var/ and all caches; .venv and the user's cache stay
	@rm -rf var .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage spark-warehouse metastore_db derby.log
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
