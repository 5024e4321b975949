# Every step a newcomer or CI needs. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OPA ?= tools/bin/opa
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help
help: ## List the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install -q --require-hashes -r requirements.lock
	$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/test.stamp: requirements-test.lock $(VENV)/run.stamp
	$(BIN)/pip install -q --require-hashes -r requirements-test.lock
	@touch $@

tools/bin/opa: tools/go.mod tools/go.sum
	cd tools && CGO_ENABLED=0 go build -trimpath -o bin/opa github.com/open-policy-agent/opa

.PHONY: setup
setup: $(VENV)/run.stamp ## Install what `make run` needs, and stop.

.PHONY: lock
lock: $(VENV)/bin/python ## Resolve the dependencies anew, with hashes.
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile pyproject.toml --extra embedded --extra build $(LOCK) -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --all-extras -c requirements.lock $(LOCK) -o requirements-test.lock

LOCK := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q
