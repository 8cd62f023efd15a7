# Every verb first installs what it needs into .venv; nothing else is touched, but by `browser`.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt

# Mirrored digits are other shapes, so the demo does not flip them.
DEMO := train cifar/pyramidnet-20-a24 --data digits --recipe han2017 --epochs 15 \
	--set recipe.augment.flip=false --seed 0 --out runs/demo

# The long form, written to benchmarks/results: make bench BENCH=--record
BENCH ?= --short

# The pages with tables that cog writes.
TABLES := $(sort $(shell grep -rlF '[[[cog' --include='*.md' README.md README.ko.md docs))

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-page test-wheel browser check docs bench clean

help:      ## list the verbs
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile | expand -t 16

demo: .venv/.stamp-demo      ## train a PyramidNet on handwritten digits and draw its curves
	$(BIN)/residua $(DEMO)

test: .venv/.stamp-peers      ## run the tests, all but the slow ones
	$(BIN)/pytest --numprocesses 2

test-all: .venv/.stamp-peers      ## run every test but those that fetch from the internet
	$(BIN)/pytest --numprocesses 2 -m "not net" tests tests/peers

test-page: .venv/.stamp-test      ## try the pages of `residua demo` and `residua report` out in Chromium
	$(BIN)/pytest -m browser tests/demo tests/reports

test-wheel: .venv/.stamp-test      ## run the tests against the wheel, in an empty environment
	$(BIN)/python scripts/wheel.py --tests --numprocesses 2

browser:      ## install Debian's Chromium where there is none, for test-page
	command -v chromium || { \
		sudo=$$(command -v sudo || true); \
		$$sudo apt-get update --quiet && $$sudo apt-get install --quiet --yes --no-install-recommends chromium; \
	}

check: .venv/.stamp-check .venv/.stamp-peers      ## format, lint, types, import law, spelling, metadata, fresh tables
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/validate-pyproject pyproject.toml
	$(BIN)/cog --check -I . $(TABLES)

docs: .venv/.stamp-docs      ## write every table and the README's picture anew, and build the site into build/docs
	$(BIN)/cog -r -I . $(TABLES)
	$(BIN)/python -m docs.families
	$(BIN)/python -m sphinx -E -W --keep-going docs build/docs

bench: .venv/.stamp-peers      ## time our nets beside other people's, within ten minutes; fails where an aim is missed
	$(BIN)/python -m benchmarks $(BENCH)

clean:      ## remove .venv and everything that tools have left; runs/ stays
	rm -rf .venv .hypothesis .pytest_cache .ruff_cache .import_linter_cache build dist
	find src tests -name __pycache__ -type d -exec rm -rf {} +

# One environment; the stamps say which sets of packages it already holds.
.venv/.stamp-demo: NEEDS := --editable '.[digits,plots]'
.venv/.stamp-test: NEEDS := --editable '.[cluster,demo,digits,export,hub,images,parquet,plots,tensorboard]' --group test
.venv/.stamp-check: NEEDS := --editable '.[cluster,demo,digits,export,hub,images,parquet,plots,tensorboard]' --group dev
.venv/.stamp-docs: NEEDS := --editable '.[demo,digits,export,hub,images,parquet,plots,tensorboard]' --group docs

.venv/.stamp-%: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) pip
	$(PIP) --build-constraint constraints.txt $(NEEDS)
	touch $@

# Other people's nets, to compare with, and timm for our door to it: without what they need beside,
# which no net of theirs does.
.venv/.stamp-peers: .venv/.stamp-test
	$(PIP) --no-deps pytorchcv timm torchvision
	touch $@

$(BIN)/python:
	$(PYTHON) -m venv .venv
