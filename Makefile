# make drill   open stanch on an embedded cluster that is failing (nothing but Python >= 3.11 is needed)
# make quick   lint, types, contracts and pure tests of what changed, in under 20 seconds
# make test    install what the tests need and run them all, several beside each other (tests/schedule.py);
#              one place alone: make test PYTEST_ARGS="-n 0 tests/drills"
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PACKAGES := actions assets cli cluster drills incident probes runbooks text timeline triage tui
DRILL ?= network-policy-cni-version-skew

# Tests start the program hundreds of times; without compiled modules each start takes a second longer.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: drill quick test check lint coverage bench pictures clean

drill: $(VENV)/.installed
	@$(BIN)/stanch drill $(DRILL)

quick: $(VENV)/.installed
	@$(BIN)/python -m tests.quick

test: $(VENV)/.installed
	$(BIN)/python -m pytest --numprocesses auto $(PYTEST_ARGS)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/stanch runbooks lint

check: lint test

coverage: $(VENV)/.installed
	$(BIN)/python -m pytest --numprocesses auto --cov --cov-report term $(PYTEST_ARGS)

bench: $(VENV)/.installed
	$(BIN)/python -m bench

# The pictures of the README and the recorded tour, from a drill whose clock stands still.
pictures: $(VENV)/.installed
	$(BIN)/python -m bench.pictures

# constraints.txt holds the version and the hashes of every package, those for the tests and the build included. The project itself comes after
# them and without asking anybody: pip refuses a folder among hashed packages.
$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing stanch into $(VENV) ..."
	@$(PIP) install --require-hashes --requirement constraints.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q $(PACKAGES)  # as pip does with what it copies: an editable install is compiled at every start otherwise
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "stanch needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) build dist
