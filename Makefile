# Two commands for a machine that has only Python 3.11 and make:
#   make demo   the whole pipeline on the built-in phantom, then the report
#   make test   every check that CI runs
PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
READY  := $(VENV)/.ready

.PHONY: demo test check fast bench docs clean

demo: $(READY)
	$(BIN)/medvae demo demo

test: check

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 -m "not study and not gpu" --cov --cov-report=term

# What pre-commit runs before each commit.
fast: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

bench: $(READY)
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

# The site, in build/site; a broken link or reference is an error. Its code blocks run
# with the tests (tests/docs), and the examples of docstrings, README and CONTRIBUTING.
docs: $(READY)
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) demo build *.egg-info

# The environment, made once, and again when its ingredients change.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "medvae needs Python 3.11 or newer; set PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt "torch==2.13.0"
	$(PIP) install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $(READY)
