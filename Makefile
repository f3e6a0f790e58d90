# Everything a person or a machine does with this checkout. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help install run test test-long lint check bench docs elasticsearch lock clean

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

install: $(VENV)/ready ## set up .venv with everything that running needs

run: $(VENV)/ready ## start Sturmwarte (without sturmwarte.toml: the demonstration)
	@if [ -f sturmwarte.toml ]; then $(BIN)/sturmwarte run; else $(BIN)/sturmwarte demo; fi

test: $(VENV)/ready-dev ## all tests but the long ones
	@if [ "$$CI" = true ]; then sh tests/live/install.sh; fi
	$(BIN)/pytest -m "not long"

test-long: $(VENV)/ready-dev ## what takes more than three minutes
	$(BIN)/pytest -m long --timeout=3600

lint: $(VENV)/ready-dev ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: $(VENV)/ready-dev ## style, types, import contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/ready-dev ## measure; see benchmarks/
	$(BIN)/python -m benchmarks

docs: $(VENV)/ready-dev ## write docs/reference anew
	$(BIN)/python -m sturmwarte.reference docs/reference

elasticsearch: $(VENV)/ready-dev ## an Elasticsearch to develop with, until Ctrl-C (Java 17, Maven)
	@$(BIN)/python tests/support/elastic.py

lock: $(VENV)/ready-dev ## resolve dependencies anew (needs uv)
	uv pip compile -q pyproject.toml --group build --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -o requirements.lock
	uv pip compile -q pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -o requirements-dev.lock

clean: ## remove what was built (not your data)
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Sturmwarte needs Python 3.11 or newer: make PYTHON=python3.12 …"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/ready: requirements.lock pyproject.toml | $(BIN)/pip
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/ready-dev: requirements-dev.lock $(VENV)/ready
	$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@
