# Every step a newcomer or CI needs. `make help` lists them.
#
# Settings:  make PYTHON=python3.12 …      the interpreter to start from (3.11 or newer)
#            make test OPA=/path/to/opa    an OPA of the pinned version instead of building one with Go
#            make test TLOGCHECK=/path     a built tools/tlogcheck, where there is no Go
#            make test PYTEST="-k consent" options for pytest
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -q --no-input
export PIP_DISABLE_PIP_VERSION_CHECK := 1

BUILT_OPA := tools/bin/opa
OPA ?= $(BUILT_OPA)
OPA_VERSION := $(shell sed -n 's|.*open-policy-agent/opa v\([0-9.]*\).*|\1|p' tools/go.mod)
override OPA := $(abspath $(shell command -v '$(OPA)' || echo '$(OPA)'))
export OPA
BUILT_TLOGCHECK := tools/bin/tlogcheck
TLOGCHECK ?= $(BUILT_TLOGCHECK)
override TLOGCHECK := $(abspath $(TLOGCHECK))
export TLOGCHECK

say = @printf '\033[1m==> %s\033[0m\n'
fail = fail() { printf '%s\n' "$$@" >&2; exit 1; }; fail

.PHONY: help
help: ## List the targets.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## */\t/' | expand -t 10

# --- what running needs -----------------------------------------------------------------------

# pip is what a virtual environment gets last, so an interrupted one is made again.
$(BIN)/pip:
	@test -n "$(PYTHON)" || { $(fail) "Volens needs Python 3.11 or newer, and none was found. Name one: make PYTHON=/path/to/python3.11"; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ $(fail) "Volens needs Python 3.11 or newer; this is $$($(PYTHON) --version 2>&1)."; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ $(fail) "This Python cannot make virtual environments: its module venv or ensurepip is missing." "Debian and Ubuntu have it in a package: apt install python3-venv"; }
	$(say) 'Make a virtual environment in $(VENV)'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.lock pyproject.toml | $(BIN)/pip
	$(say) 'Install what running needs (a minute or two, in silence)'
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: setup
setup: $(VENV)/run.stamp ## Install what `make run` needs, and stop.

.PHONY: run
run: setup ## Start everything with a demo tenant; Ctrl-C stops it.
	@exec $(BIN)/volens up --demo

# --- what testing needs -----------------------------------------------------------------------

$(VENV)/test.stamp: requirements-test.lock $(VENV)/run.stamp
	$(say) 'Install what testing needs (a minute or two, in silence)'
	@$(PIP) --require-hashes -r requirements-test.lock
	@touch $@

$(BUILT_OPA): tools/go.mod tools/go.sum
	@command -v go >/dev/null || { $(fail) "Testing needs OPA $(OPA_VERSION), which is built from tools/go.mod with Go, and there is no Go here." "Install Go (https://go.dev/doc/install), or name an OPA: make $(MAKECMDGOALS) OPA=/path/to/opa"; }
	$(say) 'Build OPA $(OPA_VERSION) (two minutes the first time)'
	@cd tools && CGO_ENABLED=0 go build -trimpath -o bin/opa github.com/open-policy-agent/opa

.PHONY: opa
opa: $(if $(filter $(abspath $(BUILT_OPA)),$(OPA)),$(BUILT_OPA))
	@command -v "$(OPA)" >/dev/null || { $(fail) "$(OPA) is no program that can be run. Name an OPA: make $(MAKECMDGOALS) OPA=/path/to/opa"; }
	@test "$$("$(OPA)" version 2>/dev/null | sed -n 's/^Version: //p')" = '$(OPA_VERSION)' || \
		{ $(fail) "$(OPA) is not OPA $(OPA_VERSION), the version that tools/go.mod pins and that built the policies."; }

$(BUILT_TLOGCHECK): $(wildcard tools/tlogcheck/*.go) tools/tlogcheck/go.mod tools/tlogcheck/go.sum
	$(say) 'Build what judges the audit log with the code of Go'
	@cd tools/tlogcheck && CGO_ENABLED=0 go build -trimpath -o ../bin/tlogcheck .

# Who names an OPA may have no Go: then the one test that needs this says that it was skipped.
.PHONY: tlogcheck
tlogcheck: $(if $(filter $(abspath $(BUILT_TLOGCHECK)),$(TLOGCHECK)),$(if $(shell command -v go),$(BUILT_TLOGCHECK)))

# Schemathesis gives the tests of a file one id, of which xdist would run a single one; two schemas in one process
# disturb each other. What they say is shown at once, when they have ended: others run beside them.
GENERATED := tests/api/test_contract.py tests/unit/test_web_openapi.py

.PHONY: test
test: opa tlogcheck $(VENV)/test.stamp ## Check everything: style, types, policies, artefacts, tests.
	@$(MAKE) --no-print-directory lint
	$(say) 'opa test'
	@$(BIN)/python tools/policy.py test
	$(say) 'The committed policy artefacts are what their source makes'
	@$(BIN)/python tools/policy.py check
	$(say) 'The committed OpenAPI document is what the routes make'
	@$(BIN)/volens openapi | diff -u openapi/openapi.json - || \
		{ $(fail) "openapi/openapi.json is not what the routes make; run make openapi and review the difference."; }
	$(say) 'pytest'
	@$(MAKE) --no-print-directory -j2 generated others

# Files go to the workers in their order. The other order, by the number of tests, has the longest of all end alone.
.PHONY: others
others:
	@$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder $(addprefix --ignore=,$(GENERATED)) $(PYTEST)

.PHONY: generated
generated:
	@for file in $(GENERATED); do \
		told=$$($(BIN)/pytest "$$file" 2>&1) || { printf '%s\n' "$$told" >&2; exit 1; }; printf '%s\n' "$$told"; done

.PHONY: lint
lint: opa $(VENV)/test.stamp ## Check style and types of Python and Rego.
	$(say) 'ruff'
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	$(say) 'mypy'
	@$(BIN)/mypy
	$(say) 'opa fmt, opa check'
	@"$(OPA)" fmt --fail -l policies
	@"$(OPA)" check --strict --schema policies/schemas policies

.PHONY: bench
bench: opa $(VENV)/test.stamp ## Print every figure beside its target, and write benchmarks/results.json; ONLY="check growth" for some.
	@$(BIN)/python -m benchmarks $(ONLY)

.PHONY: mutants
mutants: $(VENV)/test.stamp ## Try every small mistake in the verifier of the audit log, half an hour of one core; PLACES="ranges notes.Key" for some.
	@$(PIP) mutmut==3.8.1
	@nice -n 19 $(BIN)/python -m tools.mutants $(PLACES)

# --- what is generated and committed ----------------------------------------------------------

.PHONY: openapi
openapi: $(VENV)/test.stamp ## Write openapi/openapi.json and the answers of its examples anew.
	@$(BIN)/volens openapi > openapi/openapi.json.new
	@mv openapi/openapi.json.new openapi/openapi.json
	@WRITE_EXAMPLES=1 $(BIN)/pytest -q tests/api/test_examples.py

.PHONY: policy
policy: opa $(VENV)/test.stamp ## Build the policy artefacts in policies/build.
	@$(BIN)/python tools/policy.py build

# Versions that still satisfy pyproject.toml stay; `make lock UPGRADE=--upgrade` takes the newest.
LOCKED := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q $(UPGRADE)

FILE ?= policy.tar.gz

.PHONY: pack
pack: opa $(VENV)/test.stamp ## Pack the policy as its sources say for `volens policy activate`, into FILE=policy.tar.gz.
	@$(BIN)/python tools/policy.py pack "$(FILE)"

.PHONY: lock
lock: $(BIN)/pip ## Resolve the dependencies into the two lock files.
	@$(PIP) uv
	@$(BIN)/uv pip compile pyproject.toml --extra embedded --extra build $(LOCKED) -o requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --all-extras -c requirements.lock $(LOCKED) -o requirements-test.lock

.PHONY: clean
clean: ## Remove what these targets made, but never your data in .volens.
	@rm -rf $(VENV) tools/bin dist htmlcov .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
