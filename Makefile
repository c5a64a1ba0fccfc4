# Two commands for a fresh machine: `make demo`, `make test`.
PYTHON ?= python3
VENV ?= .venv
PIP_OPTIONS ?=
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: sandbox demo test check lint types test-slow test-corpus test-slurm test-all rules bench clean

## demo: core install (no torch), audit the bundled examples, print the reports
demo: $(VENV)/.core
	@for folder in examples/*/*/; do $(BIN)/golf-audit check --exit-zero "$$folder"; echo; done

## test: lint, types, and the test suite without the slow and corpus parts
test: $(VENV)/.dev sandbox lint types
	$(BIN)/python -m pytest -m "not slow and not corpus and not gpu and not slurm"

test-slow: $(VENV)/.dev sandbox
	$(BIN)/python -m pytest -m "slow and not corpus and not gpu and not slurm"

## test-corpus: needs GOLF_AUDIT_CLONE=/path/to/a/clone/of/openai/parameter-golf
test-corpus: $(VENV)/.dev
	$(BIN)/python -m pytest -m corpus

## test-slurm: as root on Debian or Ubuntu; starts a Slurm on loopback for these tests and ends it
test-slurm: $(VENV)/.dev
	@command -v slurmctld >/dev/null && command -v munged >/dev/null || apt-get install -y --no-install-recommends slurm-wlm munge
	$(BIN)/python -m pytest -m slurm tests/rerun/test_slurm.py

test-all: $(VENV)/.dev sandbox lint types
	$(BIN)/python -m pytest -m "not gpu and not slurm"

## sandbox: what `trace` runs submissions in; installed on Debian and Ubuntu when root, else asked for
sandbox:
	@test "$$(uname)" != Linux || command -v bwrap >/dev/null || { \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
	  apt-get update -qq && apt-get install -y -qq bubblewrap; } || { \
	  echo "bubblewrap is missing: sudo apt-get install bubblewrap (dnf, pacman: the same name)"; exit 1; }

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

## rules: write rules/README.md from the rules themselves
rules: $(VENV)/.core
	$(BIN)/python -m golf_audit.report.catalogue rules/README.md

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install $(PIP_OPTIONS) -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install $(PIP_OPTIONS) -c constraints.txt -e ".[dev,run]"
	@touch $@ $(VENV)/.core

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache dist
