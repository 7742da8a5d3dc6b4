# Every target sets up .venv by itself, with uv where it is installed and with pip otherwise.
# Written for GNU make 3.81 (macOS) and newer.

PYTHON ?= python3
JOBS ?= auto
PYTEST_ARGS ?=
SUITE ?=

VENV := .venv
PY := $(VENV)/bin/python
UV := $(shell command -v uv 2>/dev/null)
GOAL := $(or $(firstword $(MAKECMDGOALS)),test)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-all test-brian lint bench clean

help: ## list the targets
	@echo "make TARGET [PYTHON=python3.12] [JOBS=4] [PYTEST_ARGS='-k name -x']"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1 @ \2/p' Makefile | column -t -s @ 2>/dev/null \
	  || sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1: \2/p' Makefile

demo: $(VENV)/.demo ## simulate a network and draw its spikes
	$(PY) -m jaxsnn demo

bench: $(VENV)/.bench ## measure the speed on this machine, next to Brian2 in C++
	$(PY) -m jaxsnn bench --peer brian2

test: $(VENV)/.test ## the fast tests and the examples in the docstrings
	$(PY) -m pytest -n $(JOBS) --maxprocesses 8 $(PYTEST_ARGS)

test-all: $(VENV)/.test ## the slow tests too, and Brian2's own
	XLA_FLAGS="$(XLA_FLAGS)" $(PY) -m pytest -n $(JOBS) --maxprocesses 8 -m "" $(PYTEST_ARGS)
	$(PY) tests/bridges/suite.py

test-brian: $(VENV)/.test ## Brian2's own test suite on jaxsnn, with a table (SUITE='standalone --float32')
	$(PY) tests/bridges/suite.py $(SUITE)

lint: $(VENV)/.test ## style, format and types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

clean: ## remove caches and builds (to start anew, also: rm -rf .venv)
	rm -rf build dist out site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find jaxsnn tests -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- the environment ---------------------------------------------------------------------------
# One stamp per set of extras, so that the demo waits for nothing that only the tests need. A stamp
# is older than pyproject.toml after a change there, and the next call installs again.

$(VENV)/.demo: EXTRAS := plot
$(VENV)/.bench: EXTRAS := brian2
$(VENV)/.test: EXTRAS := test,plot

$(VENV)/.demo $(VENV)/.bench $(VENV)/.test: pyproject.toml | $(PY)
	@$(call need_python_3_11,$(PY),rm -rf $(VENV))
ifneq ($(UV),)
	$(UV) pip install --quiet --python $(PY) --editable ".[$(EXTRAS)]"
else
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip --upgrade >/dev/null
	$(PY) -m pip install --quiet --disable-pip-version-check --editable ".[$(EXTRAS)]"
endif
	@touch $@

$(PY):
ifneq ($(UV),)
	$(UV) venv --quiet --clear --python "$(UV_PYTHON_REQUEST)" $(VENV)
else
	@$(call need_python_3_11,$(PYTHON),make $(GOAL) PYTHON=python3.12)
	$(PYTHON) -m venv --clear $(VENV)
endif

# uv looks for a Python that fits by itself, unless the caller named one.
UV_PYTHON_REQUEST = $(if $(filter file,$(origin PYTHON)),>=3.11,$(PYTHON))

# $(1): the interpreter; $(2): the command that helps where it is too old
define need_python_3_11
$(1) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v >= (3, 11) else "jaxsnn needs Python 3.11 or newer, and $(1) is %d.%d. Try: $(2)" % v)'
endef
