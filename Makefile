# You need Python 3.9 or newer and git. Each target makes its own environment;
# `make PYTHON=python3.12 test` chooses an interpreter.
PYTHON ?= python3
VENV ?= .venv$(if $(filter-out python3,$(PYTHON)),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO ?= runs/demo
SLOW ?= tests
OLD_PYTHON := Python 3.9 or newer is needed; choose one: make PYTHON=python3.11 ...

.PHONY: demo test slow rare soak fuzz coverage lint clean

$(READY): setup.cfg pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 9) else "$(OLD_PYTHON)")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

# The main job on synthetic data: train, evaluate, submit, train a second model, fuse both.
demo: $(READY)
	$(BIN)/python -m yt8m.demo --out_dir=$(DEMO)

test: $(READY)
	$(BIN)/python -m pytest -q -n auto --dist worksteal --durations=10

slow: $(READY)
	$(BIN)/python -m pytest -q -m slow -n auto --dist loadgroup --durations=20 $(SLOW)

# Thorough forms of other tests, which CI leaves out.
rare: $(READY)
	$(BIN)/python -m pytest -q -m rare -n auto --dist loadgroup --durations=20

# Random kills of every command that writes, for half an hour; the same command goes on.
soak: $(READY)
	$(BIN)/python -m benchmarks.soak --minutes=30

# Damaged and made-up inputs for every reader and command, most of them in one process.
fuzz: $(READY)
	$(BIN)/python -m benchmarks.fuzz --cases=20000 --commands=200 --minutes=90

# The default tests with the lines that they reach, child processes included.
coverage: $(READY)
	$(BIN)/python -m pytest -q -n auto --dist worksteal --durations=10 --cov --cov-report=
	$(BIN)/python -m coverage report --skip-covered

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/lint-imports

clean:
	rm -rf .venv .venv-* runs/demo
