# The commands that always work from a clean checkout. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
ABOPS := .venv/bin/abops
PYTEST := .venv/bin/pytest
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help env up down demo test test-cluster check unit integration browser bench lock render clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

env: ## make the two Python environments from their locks
	@tools/bootstrap .venv requirements/dev.txt . packages/abops-instrument
	@tools/bootstrap workload/.venv workload/requirements.txt packages/abops-instrument

up: env ## install what is missing and start the whole platform on this machine (LOGS=1: with searchable logs)
	@$(ABOPS) tools install --profile up $(if $(LOGS),--profile logs)
	@$(ABOPS) stack up $(if $(LOGS),--logs)

down: env ## stop it: no process, socket or mount is left
	@$(ABOPS) stack down

demo: up ## break things on purpose: fault, alert, incident, page, recovery
	@$(ABOPS) demo

check: env ## the static part, under two minutes
	@$(ABOPS) tools install --profile check
	@tools/check

unit: env
	$(PYTEST) tests/unit tests/architecture -n auto -q

integration: env
	@$(ABOPS) tools install --profile test
	$(PYTEST) tests/integration tests/rules tests/acceptance -n 2 --dist loadfile -q

browser: env
	@$(ABOPS) tools install --profile browser
	$(PYTEST) tests/browser -q

# The browser's driver runs an event loop of its own, so its tests get a process of their own.
test: check ## check, unit, integration (real servers) and browser tests
	@$(ABOPS) tools install --profile test --profile browser
	@mkdir -p test-results
	$(PYTEST) tests -n 2 --dist loadfile -q --ignore=tests/cluster --ignore=tests/browser --junitxml=test-results/junit.xml
	$(PYTEST) tests/browser -n 2 --dist loadfile -q --junitxml=test-results/browser.xml

test-cluster: env ## the tests on a real Kubernetes (Linux, root); builds its control plane once, some minutes
	@$(ABOPS) tools install postgres pgbackrest seaweedfs kubectl kube-apiserver etcd
	$(PYTEST) tests/cluster -q

bench: env ## make bench NAME=ingest ARGS="--small"
	@.venv/bin/python benchmarks/$(NAME)/run.py $(ARGS)

lock: ## compile the locks anew (they hold versions and hashes, no address)
	@tools/lock

render: env ## write every generated file
	@$(ABOPS) render

clean: ## remove environments and caches of this checkout (not the tool cache outside it)
	rm -rf .venv workload/.venv .cache .mypy_cache .ruff_cache .pytest_cache test-results
