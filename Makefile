# Needs Python 3.9 or newer and git; makes its own environment. `make PYTHON=python3.12 test` picks an interpreter.
PYTHON ?= python3
VENV ?= .venv$(if $(filter-out python3,$(PYTHON)),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO ?= runs/demo

.PHONY: demo test slow lint clean

$(READY): setup.cfg pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 9) else "Python 3.9 or newer is needed; pick one: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

# The main job on synthetic data: train, evaluate, submit, train a second model, fuse both.
demo: $(READY)
	$(BIN)/python -m yt8m.demo --out_dir=$(DEMO)

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -q -n auto --dist worksteal --durations=10

slow: $(READY)
	$(BIN)/python -m pytest -q -m slow --durations=10

lint: $(READY)
	$(BIN)/ruff check .

clean:
	rm -rf .venv .venv-* runs/demo
