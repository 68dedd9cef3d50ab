# All targets use the virtual environment that `make setup` creates. You need only Python 3.11 and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
TORCH := $(shell grep -o 'torch==[0-9.]*' pyproject.toml | head -n 1)
# The scripts in a virtual environment hold its path, so it must be made again in a project that was moved or copied.
MOVED := $(shell test -s $(VENV)/installed && test "$$(cat $(VENV)/installed)" != "$(abspath $(VENV))" && echo moved)
# An absolute path, because stages run `python` in other folders.
export PATH := $(abspath $(BIN)):$(PATH)
unexport PYTHONPATH

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-report handwriting test test-services mutations lint format ui app sync reliability audit lock clean moved

help:  ## Show this list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(VENV)/installed  ## Create the virtual environment and install the pinned packages.

$(VENV)/installed: pyproject.toml requirements.lock $(MOVED)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make setup PYTHON=python3.11")'
	$(PYTHON) -m venv $(if $(MOVED),--clear) $(VENV)
	@# uv installs the packages at once. Where there is no uv, pip installs them one by one.
	@awk '/^uv==/,!/\\$$/' requirements.lock > $(VENV)/uv.lock
	@$(PIP) --require-hashes --no-deps --requirement $(VENV)/uv.lock \
		&& $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps --requirement requirements.lock \
		|| $(PIP) --require-hashes --no-deps --requirement requirements.lock
	@# pip also looks for builds of torch on the disk, and installs what a GPU build needs.
	$(PIP) $(TORCH)
	$(PIP) --no-deps --editable .
	@echo "$(abspath $(VENV))" > $@

demo: setup  ## Run the whole pipeline on built-in characters and text, in build/demo.
	@$(BIN)/python -m pipeline demo

demo-report: setup  ## Train the demo with several seeds and write the error rates that `make demo` expects.
	@$(BIN)/python -m pipeline demo --update-expected

handwriting: $(VENV)/handwriting  ## Train on your own transcribed lines. PAGES=folder; TEXT=file for the language model; WAYS='from_others'; TRAIN_LINES=200.
	@test -n "$(PAGES)" || { echo "handwriting: name your folder of pages or lines: make handwriting PAGES=scans"; exit 1; }
	@$(BIN)/python -m pipeline handwriting "$(PAGES)" $(if $(TEXT),--text "$(TEXT)") $(if $(WAYS),--ways $(WAYS)) $(if $(TRAIN_LINES),--train-lines $(TRAIN_LINES))

$(VENV)/handwriting: $(VENV)/installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[handwriting]'
	@touch $@

test: setup  ## Run the tests.
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 8 --dist loadscope

test-services: $(VENV)/services  ## Run the tests that start real servers: PostgreSQL, MLflow, S3, SSH, Ray.
	$(BIN)/python -m pytest -m services --numprocesses 2 --dist loadscope tests/services

$(VENV)/services: $(VENV)/installed
	@$(BIN)/python -m pip freeze --exclude-editable > $(VENV)/pins
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint $(VENV)/pins --editable '.[services]' \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(VENV)/pins --editable '.[services]'
	@touch $@

mutations: setup  ## Break the code in a hundred places, one at a time, and name what the tests do not notice.
	@$(BIN)/python -m tests.mutations

lint: setup  ## Check format, style and types.
	ruff format --check .
	ruff check .
	mypy

format: setup  ## Format the code and fix what ruff can fix.
	ruff format .
	ruff check --fix .

ui: setup  ## Show the project's runs in MLflow, or the demo's if the project has none, or those in MLFLOW_TRACKING_URI. PORT=5001.
	@$(BIN)/python -m pipeline ui $(if $(PORT),--port $(PORT))

app: setup  ## Open a page to try the project's models on pictures, or the demo's if the project has none. PORT=8001.
	@$(BIN)/python -m pipeline app $(if $(PORT),--port $(PORT))

sync: setup  ## Rebuild missing MLflow runs from DVC's outputs.
	$(BIN)/python -m pipeline sync

reliability: setup  ## Inject faults for hours and write reports/studies/reliability/. REAL='--archive A --corpus B' for real data; MINUTES=60.
	$(BIN)/python -m reliability --minutes $(or $(MINUTES),60) $(REAL)

audit: build/audit/bin/pip-audit  ## Check the pinned packages for known vulnerabilities; needs a network.
	@{ sed -n 's/^\([A-Za-z0-9._-]*==[^ ;]*\).*/\1/p' requirements.lock; echo $(TORCH); } > build/audit/requirements.txt
	@build/audit/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off --requirement build/audit/requirements.txt 2> build/audit/errors \
		|| { tail -n 1 build/audit/errors | cut -c 1-300; echo "audit: a package is vulnerable or could not be looked up (this needs a network)"; exit 1; }

build/audit/bin/pip-audit:
	@$(PYTHON) -m venv build/audit
	@build/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1 \
		|| { rm -rf build/audit; echo "audit: pip-audit cannot be installed (this needs a network)"; exit 1; }

lock: setup  ## Write the hashes of the packages in .venv to requirements.lock; needs a network.
	@{ sed -n '/^#/p' requirements.lock; $(BIN)/python -m pip freeze --exclude-editable | grep -v '^torch==' \
		| $(BIN)/uv pip compile - --no-deps --generate-hashes --python-version 3.11 --no-header --no-annotate --quiet; } > requirements.lock.new
	@mv requirements.lock.new requirements.lock

clean:  ## Remove the virtual environment and build/.
	rm -rf $(VENV) build
