# Two commands for a fresh machine: `make demo`, `make test`.
PYTHON ?= python3
VENV ?= .venv
PIP_OPTIONS ?=
BIN := $(VENV)/bin
EXAMPLE := examples/track_non_record_16mb/2026-11-21_GolfRefTiny
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: dev sandbox demo test check lint types test-slow test-trace test-corpus test-slurm test-browser test-all effect rules example bench clean

## demo: core install (no torch), audit the bundled examples, print the reports
demo: $(VENV)/.core
	@for folder in examples/*/*/; do $(BIN)/golf-audit check --exit-zero "$$folder"; echo; done

## dev: the environment of the tests, without running any
dev: $(VENV)/.dev

## test: lint, types, and the test suite without the slow and corpus parts
test: $(VENV)/.dev sandbox lint types
	$(BIN)/python -m pytest -m "not slow and not corpus and not gpu and not slurm and not browser"

test-slow: $(VENV)/.dev sandbox
	$(BIN)/python -m pytest -m "slow and not corpus and not gpu and not slurm and not browser"

## test-trace: whole runs in miniature: faults planted in honest scripts and in golf_ref (half an hour)
test-trace: $(VENV)/.dev sandbox
	$(BIN)/python -m pytest -m slow tests/dynamic --durations=20

## test-corpus: needs GOLF_AUDIT_CLONE=/path/to/a/clone/of/openai/parameter-golf
test-corpus: $(VENV)/.dev
	$(BIN)/python -m pytest -m corpus

## test-slurm: as root on Debian or Ubuntu; starts a Slurm on loopback for these tests and ends it
test-slurm: $(VENV)/.dev
	@command -v slurmctld >/dev/null && command -v munged >/dev/null || apt-get install -y --no-install-recommends slurm-wlm munge
	$(BIN)/python -m pytest -m slurm tests/rerun/test_slurm.py

## test-browser: on Debian or Ubuntu (root where Chromium is missing); axe-core comes from npm and is kept in .cache
AXE := .cache/browser/node_modules/axe-core/axe.min.js
test-browser: $(VENV)/.core $(AXE)
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || { \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium chromium-driver; }
	$(PIP) install $(PIP_OPTIONS) -c constraints.txt pytest hypothesis selenium
	GOLF_AUDIT_AXE=$(AXE) $(BIN)/python -m pytest -m browser tests/browser

$(AXE):
	@command -v npm >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends npm; }
	npm install --silent --no-audit --no-fund --no-save --prefix .cache/browser axe-core@4.10.3

test-all: $(VENV)/.dev sandbox lint types
	$(BIN)/python -m pytest -m "not gpu and not slurm and not browser"

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

BASE ?= main
PRS ?=
CHANGED := out/effect
## effect: what the working tree moves on a clone against BASE: make effect CLONE=DIR [BASE=main] [PRS=1-200]
effect: $(VENV)/.core
	@test -n "$(CLONE)" || { echo "CLONE=DIR is missing: a clone of the challenge with pull-request heads"; exit 2; }
	@rm -rf $(CHANGED)/tree && git worktree prune && git worktree add -q --detach $(CHANGED)/tree $(BASE)
	@cd $(CHANGED)/tree && $(abspath $(BIN))/python -m golf_audit sweep $(abspath $(CLONE)) $(if $(PRS),--prs $(PRS)) \
	  --output $(abspath $(CHANGED))/$$(git rev-parse HEAD).jsonl > /dev/null || test $$? = 4
	@$(BIN)/python -m golf_audit sweep $(CLONE) $(if $(PRS),--prs $(PRS)) --fresh \
	  --output $(CHANGED)/working-tree.jsonl > /dev/null || test $$? = 4
	@$(BIN)/golf-audit effect $(CHANGED)/$$(git -C $(CHANGED)/tree rev-parse HEAD).jsonl $(CHANGED)/working-tree.jsonl
	@git worktree remove --force $(CHANGED)/tree

## rules: write rules/README.md from the rules themselves
rules: $(VENV)/.core
	$(BIN)/python -m golf_audit.report.catalogue rules/README.md

BLURB := Every part of the reference stack (CaseOps, looped layers, Muon, EMA, GPTQ + LQER, sliding \
  windows, score-first phased LoRA test-time training) in miniature, trained and scored on a CPU \
  on text that Python ships. Not the FineWeb split: the figures compare with no other \
  submission's.
## example: train, score and write golf_ref's own submission folder again, three seeds
example: $(VENV)/.dev
	$(BIN)/python -m golf_ref bundle --preset tiny --seeds 42,314,999 --folder $(EXAMPLE) \
	  --author "golf-audit contributors" --github-id golf-audit \
	  --title "golf_ref tiny: the reference stack in miniature" --blurb "$(BLURB)"

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
