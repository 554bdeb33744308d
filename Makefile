# `make` alone lists the commands. Each makes what it needs first; nothing is installed outside .venv but by
# `make system`, which says what it would install where it may not.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Any Python from 3.11 on; the exact versions in constraints.txt were resolved on 3.11.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The same exact versions for the packages and for what builds this one.
PIP_INSTALL := $(BIN)/pip install --disable-pip-version-check --constraint constraints.txt
# Shows that a command of minutes goes on, on a terminal and in a log; what it says is printed only if it fails.
PROGRESS := $(PYTHON) deploy/progress
SHARED_DATA = $${DOCMILL_SHARED_DATA:-../shared/data}
JOBS ?= 2
# What no server, no model and no giant file is needed for. On SQLite only.
QUICK := tests/db/test_chunks.py tests/db/test_documents.py tests/db/test_jobs.py tests/readers \
	--ignore tests/readers/test_sizes.py --ignore tests/readers/test_any_input.py \
	$(addprefix tests/nlp/test_,addresses.py keywords.py rouge.py sentences.py text.py)

.PHONY: help
help: ## list the commands
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-22s %s\n", $$1, $$2 }'

.PHONY: system
system: ## install the system packages that the tests need (without root: say which)
	@PYTHON=$(PYTHON) deploy/system-packages python3-venv redis-server postgresql pgbouncer

.PHONY: venv
venv: $(VENV)/.installed ## make the virtual environment with the locked dependencies

$(VENV)/.installed: constraints.txt pyproject.toml
	@PYTHON=$(PYTHON) deploy/system-packages python3-venv
	@$(PYTHON) -c 'import sys; sys.exit("docmill needs Python 3.11 or later: make PYTHON=python3.x ..." if sys.version_info < (3, 11) else 0)'
	@$(PROGRESS) "making $(VENV)" $(PYTHON) -m venv $(VENV)
	@$(PROGRESS) "updating pip" $(PIP_INSTALL) --upgrade pip
	@$(PROGRESS) "installing docmill and its libraries (a few minutes, 2 GB)" \
		$(PIP_INSTALL) --progress-bar raw --build-constraint constraints.txt --editable . --group dev
	@touch $@

$(VENV)/.bench: $(VENV)/.installed
	@PYTHON=$(PYTHON) deploy/system-packages g++ python3-dev
	@$(PROGRESS) "installing what the benchmarks compare with" \
		$(PIP_INSTALL) --progress-bar raw --build-constraint constraints.txt --group bench
	@# textrankr installs its own tests under the name that ours have, and they would be imported instead.
	@rm -rf $(VENV)/lib/python3*/site-packages/tests
	@touch $@

.PHONY: demo
demo: venv ## see it work: real texts through Redis and a worker into rows you can query
	@$(BIN)/docmill demo

.PHONY: check
check: venv ## the quick checks: lint, format, types, direction of imports
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python docs/generate.py --check

.PHONY: quick
quick: check ## the quick checks and the tests that start no server (under 30 seconds)
	$(BIN)/pytest --quiet --numprocesses $(JOBS) -m "not stack and not slow" -k "not postgresql and not linear" \
		$(QUICK)

.PHONY: test
test: system venv check ## every check and every test
	$(BIN)/pytest --numprocesses $(JOBS) --dist worksteal --durations 15

.PHONY: faults
faults: venv system ## the whole matrix of faults, every checker after each (half an hour)
	@$(BIN)/python -m tests.faults.matrix

.PHONY: soak
soak: venv system ## faults at random for MINUTES=10, from a printed seed
	@$(BIN)/python -m tests.faults.soak --minutes $(MINUTES)

.PHONY: mutants
mutants: venv system ## break the code in named ways: the tests must notice each
	@$(BIN)/python -m tests.mutants

.PHONY: bench-queue bench-cancel bench-end-to-end bench-similarity bench-classification bench-pretrained bench-summaries
bench-queue: venv system ## measure the queue beside plain Celery
	@$(BIN)/python -m benchmarks.queue
bench-cancel: venv system ## measure other jobs while a million documents are cancelled
	@$(BIN)/python -m benchmarks.cancel
bench-end-to-end: venv system ## measure a job of 150,000 reviews beside a bare loop
	@$(BIN)/python -m benchmarks.end_to_end --data "$(SHARED_DATA)"
bench-similarity: $(VENV)/.bench ## measure vectors and search beside faiss and plain gensim
	@$(BIN)/python -m benchmarks.similarity --data "$(SHARED_DATA)"
bench-classification: $(VENV)/.bench ## measure the classifier beside scikit-learn and fastText
	@$(BIN)/python -m benchmarks.classification --data "$(SHARED_DATA)"
bench-pretrained: venv ## measure a transformers model beside its own pipeline
	@$(BIN)/python -m benchmarks.classification_pretrained --data "$(SHARED_DATA)"
bench-summaries: $(VENV)/.bench ## measure the summaries beside lead sentences and other rankers
	@$(BIN)/python -m benchmarks.summaries --data "$(SHARED_DATA)"

.PHONY: docs docs-site
docs: venv ## write the parts of docs/*.md that follow from the code
	@$(BIN)/python docs/generate.py
docs-site: venv ## build the documentation as a site, in site/
	@$(BIN)/mkdocs build --quiet --strict

.PHONY: migration
migration: venv ## write the migration for changed tables or a new kind's rows: NAME="what it changes"
	@$(BIN)/python deploy/new-migration "$(NAME)"
	@$(BIN)/ruff check --quiet --fix db/migrations/versions && $(BIN)/ruff format --quiet db/migrations/versions

.PHONY: lock
lock: ## resolve every dependency afresh and rewrite constraints.txt
	@PYTHON=$(PYTHON) deploy/lock > constraints.new
	@mv constraints.new constraints.txt
	@git --no-pager diff --stat -- constraints.txt

.PHONY: env
env: .env ## write .env for docker compose, with fresh passwords

.env:
	@umask 077; $(PYTHON) deploy/passwords < .env.example > .env.new && mv .env.new .env
	@echo "wrote .env; its passwords are read when the volumes are made for the first time"

.PHONY: clean
clean: ## remove the virtual environment, caches and the embedded store
	rm -rf $(VENV) .docmill .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
