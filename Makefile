# make demo   the exporter on simulated providers; no key needed. SPEED=60: simulated seconds in a second; PORT=10710
# make test   every check and every test
# make setup  the development environment in .venv, as it is locked
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SPEED ?= 60
PORT ?= 10710
# Nothing is installed but what a lock names, by its hash, and nothing is built but this program, with locked tools:
# what is published tomorrow changes no environment of today.
UV := $(BIN)/python scripts/uv.py
LOCKED := --quiet --require-hashes --no-build
EDITABLE := $(UV) pip install --quiet --no-deps --build-constraints requirements-dev.lock --require-build-hashes --editable .

.PHONY: demo test setup lint unit bench docs lock tools clean help

help:
	@grep '^# make' Makefile | cut -c3-

demo: $(VENV)/product
	$(BIN)/prepaid-exporter demo --speed $(SPEED) --web.listen-address 127.0.0.1:$(PORT)

test: lint unit

setup: $(VENV)/development

lint: $(VENV)/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

# Coverage is of the whole run: the laws, the command line and the real programs reach different parts.
unit: $(VENV)/development tools
	$(BIN)/pytest --cov --cov-report=term

bench: $(VENV)/development tools
	$(BIN)/python benchmarks/run.py

# Everything that is made from something else: blocks of the documentation, the chart's README, the dashboards.
docs: $(VENV)/development
	$(BIN)/python docs/generate.py
	$(BIN)/python helm/readme.py
	$(BIN)/python -m grafana.source

# requirements.lock is what the image installs, requirements-dev.lock what the tests run with, requirements-release.lock
# what lists the contents of a release.
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	--generate-hashes --custom-compile-command "make lock"
lock: $(VENV)/development
	$(COMPILE) pyproject.toml --output-file requirements.lock
	$(COMPILE) pyproject.toml --group dev --output-file requirements-dev.lock
	$(COMPILE) --group release --output-file requirements-release.lock

tools:
	scripts/tools

$(VENV)/python: scripts/venv
	scripts/venv $(PYTHON) $(VENV)
	touch $@

$(VENV)/product: requirements.lock pyproject.toml $(VENV)/python
	$(UV) pip install $(LOCKED) --requirement requirements.lock
	$(EDITABLE)
	touch $@

$(VENV)/development: requirements-dev.lock pyproject.toml $(VENV)/python
	$(UV) pip sync $(LOCKED) requirements-dev.lock
	$(EDITABLE)
	touch $@ $(VENV)/product

clean:
	rm -rf $(VENV) .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
