# Two commands: `make run` trains the quick study and writes its report; `make test` runs the test suite.
# PIP_FLAGS goes to every `pip install`, e.g. to name another package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 3
PIP_INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt $(PIP_FLAGS)

# The command and the tests start many processes, and each would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test slow busy torture seed-check check format docs clean

run: $(VENV)/.installed
	$(BIN)/bakeoff run quick

# Three processes with a thread each, as some tests wait; the tests of a file share what they trained, so they stay
# together. Files come in their order, as otherwise those with the fewest tests would be the last, which take the
# longest.
test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)

slow: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow

# Again and again beside two busy programs: what passes by luck fails here. All that starts processes or threads,
# waits for them, times them or kills them, the longest first; the other tests compute the same however long it takes.
# (A scheduler may share the cores among sessions: the busy programs have sessions of their own.)
busy: export TESTS = tests/executors tests/choosing tests/test_cli.py tests/test_forkserver.py tests/test_faults.py \
	tests/test_runner.py tests/test_worker.py tests/test_tuning.py tests/test_costs.py tests/test_process.py \
	tests/test_bad_input.py tests/test_fuzz.py tests/test_threads.py tests/test_memory.py tests/test_machine.py \
	tests/test_readme.py tests/test_verbs.py tests/test_watching.py tests/test_progress.py tests/test_provenance.py \
	tests/reporting/test_browser.py tests/reporting/test_build.py tests/data/test_hub.py tests/bench tests/tools
busy: export WORKERS = 4
busy: $(VENV)/.installed-dev
	for each in 1 2; do setsid $(BIN)/python -c 'while True: pass' & others="$$others $$!"; done; \
	trap 'kill '"$$others" EXIT; \
	for round in $$(seq $${BAKEOFF_ROUNDS:-20}); do $(MAKE) test || exit 1; done

torture: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 BAKEOFF_KILLS=100 $(BIN)/python -m pytest -m slow tests/test_torture.py

seed-check: $(VENV)/.installed-dev
	BAKEOFF_MINUTES=$${BAKEOFF_MINUTES:-15} $(BIN)/python -m pytest -m slow tests/test_seed_size.py

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: $(VENV)/.installed-docs
	$(BIN)/zensical build --strict --clean

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Bakeoff needs Python 3.11 or newer; name one with: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP_INSTALL) --editable .
	touch $@

$(VENV)/.installed-docs: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP_INSTALL) --editable '.[docs]'
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP_INSTALL) --editable '.[dev]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build dist
