# make demo   the exporter on simulated providers; no key needed. SPEED=60: simulated seconds in a second; PORT=10710
# make demo-stack  the same with Prometheus and Alertmanager on a week of history; pages are printed
# make pictures  the pictures of the dashboards in docs/, from a Grafana that shows the demo; GRAFANA=http://localhost:3000
# make test   every check and every test
# make quick  the tests that run within Python: no program, no package index, no hundreds of accounts; in a minute
# make soak   100,000 scrapes while everything goes wrong; SCRAPES=2000 for a look
# make year   three simulated years of many wallets through the alerting rules; ARGUMENTS="--seeds 4 --cases"
# make follow the commands of README and installation page, typed on a bare Debian 12; as root
# make provider  NAME=acme: print anew what a new or changed definition shows up in, and run the tests that cover it
# make setup  the development environment in .venv, as it is locked
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SPEED ?= 60
PORT ?= 10710
SCRAPES ?= 100000
# More than there are cores: the tests of real programs wait for most of their time.
WORKERS ?= 6
STEP := @scripts/step
# Nothing is installed but what a lock names, by its hash, and nothing is built but this program, with locked tools:
# what is published tomorrow changes no environment of today.
UV := $(BIN)/python scripts/uv.py
# Compiled while it is installed, once, and not by each process that runs it.
LOCKED := --quiet --require-hashes --no-build --compile-bytecode
EDITABLE := $(UV) pip install --quiet --no-deps --build-constraints requirements-dev.lock --require-build-hashes --editable . \
	&& $(BIN)/python -m compileall -q exporter

# Where Python may not keep what it has compiled, each of the many processes of the tests compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo demo-stack pictures test quick provider setup lint unit bench soak year follow docs lock tools clean help

help:
	@grep '^# make' Makefile | cut -c3-

demo: $(VENV)/product
	$(BIN)/prepaid-exporter demo --speed $(SPEED) --web.listen-address 127.0.0.1:$(PORT)

demo-stack: $(VENV)/development
	$(BIN)/python -m scripts.demo_stack $(ARGUMENTS)

pictures:
	scripts/pictures $(GRAFANA)

test:
	$(STEP) "The development environment" $(MAKE) --no-print-directory setup
	$(STEP) "Programs that the tests run" $(MAKE) --no-print-directory tools
	$(STEP) "Everything that reads the code" $(MAKE) --no-print-directory lint
	$(STEP) "Every test" $(MAKE) --no-print-directory unit

setup: $(VENV)/development

lint: $(VENV)/development
	$(STEP) "Style and mistakes (ruff)" $(BIN)/ruff check .
	$(STEP) "Layout (ruff)" $(BIN)/ruff format --check .
	$(STEP) "Types (mypy)" $(BIN)/mypy
	$(STEP) "Who imports whom (import-linter)" $(BIN)/lint-imports
	$(STEP) "Documentation that the code prints" $(BIN)/python docs/generate.py --check

# A file's tests stay together: what they share is started once. The slowest ones are told at the end.
PYTEST = $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

# Coverage is of the whole run: the laws, the command line and the real programs reach different parts.
unit: $(VENV)/development tools
	$(PYTEST) --cov --cov-report=term --durations=15

# Its tests wait for little, and each process more takes seconds to begin.
quick: WORKERS := 4
quick: $(VENV)/development
	$(STEP) "The tests that run within Python" $(PYTEST) -m "not slow" --hypothesis-profile quick --durations=5

provider: $(VENV)/development
	@test -n "$(NAME)" || { echo "make provider NAME=acme, after exporter/providers/acme.yml"; exit 1; }
	$(BIN)/prepaid-exporter validate exporter/providers/$(NAME).yml
	$(BIN)/pytest -q tests/cli/test_providers.py -k "list_needs or leads_to_two"
	$(BIN)/python docs/generate.py
	GOLDEN=write $(BIN)/pytest -q tests/laws/test_golden.py -k golden_one
	PROVIDER=$(NAME) $(BIN)/pytest -q tests/laws

bench: $(VENV)/development tools
	$(BIN)/python benchmarks/run.py

# With more arguments, by ARGUMENTS=--write, its figures go to docs/reliability.md.
soak: $(VENV)/development
	$(BIN)/python benchmarks/soak.py --scrapes $(SCRAPES) $(ARGUMENTS)

# With ARGUMENTS=--write its figures go to docs/reliability.md.
year: $(VENV)/development
	$(BIN)/python benchmarks/year.py $(ARGUMENTS)

follow: $(VENV)/development
	$(BIN)/python scripts/follow_docs.py

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

# Debian's companion programs by apt-get, and those of today, which Go builds once (tools/NAME/go.mod).
tools:
	scripts/tools
	@$(PYTHON) scripts/go_tools.py

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
