# Pledgebar. Every recipe needs only Python 3.11 or newer, make and a package index, and sets up the rest in .venv.
PYTHON ?= python3
PORT ?= 5000
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: help setup demo check test test-rest test-long test-faults test-fresh test-live test-hosts mutants lint translations tools lock bench

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile

setup: .venv/ready  ## everything the other recipes use, in .venv

.venv/ready: constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Pledgebar needs Python 3.11 or newer: make PYTHON=python3.12'; exit 1; }
	@echo 'Setting up .venv (once, about half a minute) ...'
	@$(PYTHON) -m venv .venv
	@$(PIP) install --require-hashes -r constraints.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

demo: setup  ## a news site with the bar, the supporter's page and the admin, with play money
	@$(BIN)/tracker demo --port $(PORT)

# The rules, Stripe's words, the ledger, the settings, two pages and the rules of the house, on SQLite. What has a long form
# (below), backups, and whatever starts other processes is left to `make test`: a fourth of the time for few of the tests.
QUICK := tests/giving tests/gateway tests/ledger tests/test_house.py tests/test_settings.py tests/test_styles.py \
	tests/web/test_pages.py tests/web/test_give.py

SLOWER = $(filter tests/ledger/%,$(LONG)) tests/ledger/test_copies.py tests/ledger/test_transfer.py

check: lint  ## style, types and the quick tests, for while you work
	$(BIN)/pytest -n 2 -k "not postgresql and not processes" $(QUICK) $(SLOWER:%=--ignore=%)

# A file's tests share what takes seconds to start, such as a browser, so they stay in one process; and there are more
# processes than cores, since much of a browser's test is waiting. Which tests come second is in tests/conftest.py.
PYTEST := $(BIN)/pytest --dist loadfile --no-loadscope-reorder

test: lint tools  ## every behaviour, once: each test of a database on one of the two
	TEST_PART=1 $(PYTEST) -n 4

test-rest: tools  ## the same on the other database, in other browsers, in every order, under load, and with a server that is killed
	TEST_PART=2 $(PYTEST) -n 3

# What is a short test of `make test`, at length: hours. Fifty thousand orders of one payment come in pieces, each a test.
LONG := tests/ledger/test_closed_month_bytes.py tests/web/test_at_the_same_moment.py tests/cli/test_reconciling.py \
	tests/web/test_pictures.py tests/test_every_history.py tests/ledger/test_one_payment_any_order.py \
	tests/ledger/test_book_any_order.py tests/browser/test_room_in_a_browser.py \
	tests/giving tests/gateway tests/demo/test_history.py tests/web/test_addresses.py tests/web/test_carriers_agree.py

test-long: setup  ## what takes hours: any history in any order, ten thousand gifts reconciled, closed months, pictures
	TEST_LONG=1 $(BIN)/pytest $(LONG)

MUTMUT := .venv/mutmut/bin
PURELIB := -c 'import sysconfig; print(sysconfig.get_path("purelib"))'

mutants: setup  ## which small faults in the rules and the book no test would notice: docs/mutants.md; hours
	@test -x $(MUTMUT)/mutmut || { $(PYTHON) -m venv .venv/mutmut && $(MUTMUT)/python -m pip install --quiet mutmut==3.8.1; }
	@$(BIN)/python $(PURELIB) > "$$($(MUTMUT)/python $(PURELIB))/project.pth"
	@PYTHONPATH=$(CURDIR)/tests/mutation $(MUTMUT)/python tests/mutation/mutants.py $(CURDIR)/$(MUTMUT)/mutmut giving $(AGAIN)
	@PYTHONPATH=$(CURDIR)/tests/mutation $(MUTMUT)/python tests/mutation/mutants.py $(CURDIR)/$(MUTMUT)/mutmut book $(AGAIN)

test-faults: tools  ## the server killed, cut off, filled up and stopped at length: about half an hour
	TEST_LONG=1 $(BIN)/pytest -s tests/faults

test-fresh:  ## the README's two commands in a fresh Debian tree, as root, with debootstrap and git
	@tests/fresh.sh

test-live:  ## the README's way to a live server in a fresh Debian tree, and every mistake on it, likewise
	@tests/live.sh

# Where WordPress, Ghost, Wagtail and what they run on are unpacked. Debian 12, as root; about a gigabyte.
HOSTS ?= .venv/hosts

test-hosts: tools  ## the recipes on real WordPress, Ghost, Wagtail, Hugo and nginx, in Chromium and Firefox
	@sh tests/hosts/get.sh $(HOSTS)
	HOSTS=$(HOSTS) $(BIN)/pytest tests/hosts/on_*.py

lint: setup  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

TRANSLATIONS := tracker/translations

EXTRACT := $(BIN)/pybabel --quiet extract --omit-header --no-wrap --sort-by-file --add-location=file -k lazy_gettext
UPDATE := $(BIN)/pybabel --quiet update -d $(TRANSLATIONS) --ignore-pot-creation-date --no-fuzzy-matching --ignore-obsolete --no-wrap

translations: setup  ## every text into the catalogues, those of editors into their own, and the catalogues compiled
	$(EXTRACT) -F babel.cfg -k say:2 -k say_count:2,3 -o $(TRANSLATIONS)/messages.pot .
	$(UPDATE) -i $(TRANSLATIONS)/messages.pot
	$(BIN)/pybabel --quiet compile -d $(TRANSLATIONS)
	$(EXTRACT) -F editors.cfg -k Refusal -o $(TRANSLATIONS)/editors.pot .
	@if ls $(TRANSLATIONS)/*/LC_MESSAGES/editors.po >/dev/null 2>&1; then \
		$(UPDATE) -D editors -i $(TRANSLATIONS)/editors.pot && $(BIN)/pybabel --quiet compile -D editors -d $(TRANSLATIONS); fi

tools: setup  ## what the tests drive and watch with: two browsers, fonts, strace, nginx and Redis
	@sh tests/get.sh

bench: tools  ## the figures in benchmarks/README.md
	$(BIN)/python -m benchmarks

COMPILE := .venv/lock/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header --no-annotate

lock: setup  ## constraints.txt anew, with the newest versions that pyproject.toml allows, and requirements.txt out of it
	$(PYTHON) -m venv .venv/lock
	.venv/lock/bin/python -m pip install --quiet pip-tools
	$(COMPILE) --upgrade --extra test -o constraints.txt pyproject.toml
	sed -E 's/ \\$$//; /^ +--hash/d' constraints.txt > .venv/lock/versions.txt
	$(COMPILE) --extra redis -c .venv/lock/versions.txt -o requirements.txt pyproject.toml
