# Pledgebar. Each recipe needs only Python 3.11 or newer, make and a package index.
PYTHON ?= python3
PORT ?= 5000
BIN := .venv/bin

.PHONY: setup demo test test-long lint lock bench clean

setup: .venv/ready  ## everything the other recipes use, in .venv

.venv/ready: constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Pledgebar needs Python 3.11 or newer: make PYTHON=python3.12'; exit 1; }
	@echo 'Setting up .venv (once, about half a minute) ...'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup  ## a news site with the bar, the supporter's page and the admin, with play money
	@$(BIN)/tracker demo --port $(PORT)
