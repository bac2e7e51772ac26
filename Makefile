# `make` alone lists the targets. Everything runs in .venv, from uv.lock.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv
JOBS ?= 2

.PHONY: help install demo up down test check fix parts bench faults load fuzz drills clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /\1|/' | awk -F'|' '{printf "  make %-9s %s\n", $$1, $$2}'

install: .venv/.installed ## set up .venv with everything locked

.venv/.installed: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Touchstone needs Python 3.11 or later; set PYTHON=python3.x"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(UV) || deploy/retry $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@UV_PROJECT_ENVIRONMENT=.venv deploy/retry $(UV) sync --quiet --frozen --inexact --compile-bytecode
	@$(BIN)/python -m compileall -q alerts collectors dashboards instrumentation pricing services touchstone.py
	@touch $@

demo: install ## the whole system on this machine: six weeks of history, live customers, managers, operators
	@$(BIN)/touchstone demo $(DEMO)

up: install parts ## run services, relays, collector, PostgreSQL, RabbitMQ, Prometheus and Alertmanager natively on loopback
	@$(BIN)/python -m deploy.up start

down: ## stop what `make up` started
	@test ! -x $(BIN)/python || $(BIN)/python -m deploy.up stop

parts: install ## install and cache the real servers, checkers and the browser that tests use
	@deploy/parts

test: install parts ## run the whole suite, real servers included where the machine can have them
	@$(BIN)/python -m pytest -n $(JOBS) $(TEST)

check: install ## linters, types, lock file
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(UV) lock --check --quiet

fix: install ## let the linters mend what they can
	@$(BIN)/ruff check --fix . || true
	@$(BIN)/ruff format .

bench: install ## compare with peers in one run; the last line is JSON
	@$(BIN)/python -m tests.bench $(BENCH)

faults: install parts ## kill, reset, restart, double and shuffle on real servers; the last line is JSON
	@$(BIN)/python -m tests.faults $(FAULTS)

load: install parts ## pricing under load on real servers: fairness, scaling, from upload to price; the last line is JSON
	@$(BIN)/python -m tests.load $(LOAD)

fuzz: install ## a million hostile inputs a format into pricing; the last line is JSON
	@$(BIN)/python -m tests.fuzz $(FUZZ)

drills: install ## how soon signals see a slowed stage, and how seldom they cry wolf, over simulated half-years; the last line is JSON
	@$(BIN)/python -m tests.drills $(DRILLS)

clean: down ## remove what was built, the data of `make up` included
	@rm -rf build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
