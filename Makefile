# Two commands for a machine that has Python 3.11, make and, the first time, a network:
#   make demo   the whole pipeline on the built-in phantom, then the report
#   make test   every check that CI runs
PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
READY  := $(VENV)/.ready

.PHONY: demo test check audit fast bench docs clean

demo: $(READY)
	$(BIN)/medvae demo demo

test: check

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive medvae noise_models
	@$(MAKE) --no-print-directory audit
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not study and not gpu" --cov --cov-report=term --cov-report=json:build/coverage.json
	$(BIN)/python .ci/branches.py build/coverage.json

# Known holes in the pinned packages, where pip-audit is installed (extra "dev"): a
# hole fails. It says how many it could judge; a registry that does not answer is no
# verdict, and the checks go on.
audit: $(READY)
	@if ! test -x $(BIN)/pip-audit; then echo "pip-audit is not installed: nothing audited"; exit 0; fi; \
	found=$$($(BIN)/pip-audit -r constraints.txt --no-deps --disable-pip --timeout 10 2>&1); ended=$$?; \
	all=$$(grep -c "==" constraints.txt); \
	skipped=$$(echo "$$found" | grep -c "could not be audited"); \
	if echo "$$found" | grep -q "known vulnerabilit.* in"; then echo "$$found"; exit 1; \
	elif test $$ended -ne 0; then echo "the registry did not answer pip-audit: nothing audited"; \
	else echo "pip-audit: $$((all - skipped)) of $$all pinned packages audited, no known hole"; fi

# What pre-commit runs before each commit.
fast: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

# With the options that made the files on record. mnist.py skips itself where MEDVAE_MNIST
# names no data; mutants.py needs mutmut, which is no dependency. TorchIO, a peer of the
# corruption benchmark, is measured where it is installed, Stanford's MedVAE where
# MEDVAE_STANFORD names its unpacked wheel.
OTHERS := field_of_view performance mutants corruption training fit fit_scale
bench: $(READY)
	@for script in $(filter-out $(OTHERS:%=benchmarks/%.py),$(wildcard benchmarks/*.py)); do \
	  echo "== $$script"; $(BIN)/python $$script || exit 1; done
	$(BIN)/python benchmarks/corruption.py --size 128 --runs 9
	$(BIN)/python benchmarks/corruption.py --size 192 --runs 5
	$(BIN)/python benchmarks/training.py --part step --steps 20
	$(BIN)/python benchmarks/training.py --part profile --steps 12
	$(BIN)/python benchmarks/training.py --part networks --seconds 12 --rounds 3
	$(BIN)/python benchmarks/training.py --part encoders --rounds 5
	$(BIN)/python benchmarks/fit_scale.py --few 10 --many 1000 --runs 3
	$(BIN)/python benchmarks/fit.py --scale 1.5
	$(BIN)/python benchmarks/performance.py

# The site, in build/site; a broken link or reference is an error. Its code blocks, those
# of docstrings, README and CONTRIBUTING are run by make test.
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
