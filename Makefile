# Each target works on a fresh clone: what it needs of .venv is created first. No make at hand? CONTRIBUTING.md
# has the same steps as plain commands.

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
PY := $(VENV)/bin/python
INSTALL := $(PY) -m pip install --disable-pip-version-check --constraint constraints.txt
BOOK := _build/html/index.html
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup book serve test test-machines test-book notebooks experiments lint words bench train clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.book $(VENV)/.package ## create .venv with everything: book, package (editable), test tools

book: $(VENV)/.book ## build the HTML book, warnings as errors (no torch needed)
	$(VENV)/bin/jupyter-book build . -W --keep-going -n
	@echo "Open $(CURDIR)/$(BOOK)"

serve: book ## build, then serve the book on http://127.0.0.1:8000 (PORT=... for another port)
	@echo "http://127.0.0.1:$(PORT)/ (Ctrl-C stops it)"
	@$(PY) -m http.server --directory _build/html --bind 127.0.0.1 $(PORT)

test: $(VENV)/.package ## unit tests and every notebook, outputs compared
	$(PY) -m pytest --nbval

test-machines: $(VENV)/.package ## every notebook as other processors and thread counts compute it (GROUNDS="avx2 sse41")
	$(PY) notebooks/machines.py $(GROUNDS)

test-book: book $(VENV)/.package ## build, then test the built pages in headless Chromium
	@$(PY) tests/book/browser.py
	$(PY) -m pytest tests/book

notebooks: $(VENV)/.package ## execute the notebooks whose source or cards changed
	$(PY) notebooks/build.py

# Those for a GPU are left out; those that read the tables of others come last, in this order.
SCRIPTS := $(sort $(filter-out experiments/on_gpu%,$(wildcard experiments/*.py)))
LATER := experiments/adain_times.py experiments/rcan_measurements.py experiments/%_figures.py experiments/ladder.py

experiments: $(VENV)/.package ## write results/: the long runs behind tables and figures
	@set -e; for script in $(filter-out $(LATER),$(SCRIPTS)) $(foreach each,$(LATER),$(filter $(each),$(SCRIPTS))); do echo "== $$script"; $(PY) -u $$script; done

lint: $(VENV)/.package ## ruff: rules and format
	$(PY) -m ruff check $(LINTED)
	$(PY) -m ruff format --check $(LINTED)

words: $(PY) ## count the words of each page's main line
	@$(PY) book/words.py

bench: $(VENV)/.package ## measure speed and scale beside peers (minutes; never part of the tests)
	@set -e; for script in $(sort $(wildcard benchmarks/*.py)); do echo "== $$script"; $(PY) -u $$script; done

train: $(VENV)/.package ## work through training-queue.txt; a run that was cut off goes on where it stopped, one that fails is passed over
	@set -e; grep -v -e '^#' -e '^[[:space:]]*$$' training-queue.txt | while read -r line; do \
		echo "== imtrans train $$line --resume"; $(VENV)/bin/imtrans train $$line --resume </dev/null || [ $$? -ne 130 ]; done

clean: ## remove what a build wrote (.venv stays)
	rm -rf _build

LINTED := $(wildcard src tests conftest.py notebooks/source notebooks/*.py notebooks/perturbed book/*.py book/ext benchmarks experiments)

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; name one with PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

# Stamps: an environment is completed again when a list it was made from changes.
$(VENV)/.book: book/requirements.txt constraints.txt | $(PY)
	$(INSTALL) --requirement book/requirements.txt
	@touch $@

$(VENV)/.package: pyproject.toml constraints.txt | $(PY)
	$(INSTALL) --editable '.[test,dev]'
	@touch $@
