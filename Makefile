# Everything for a fresh clone. Needs Python >= 3.11 with venv, and make; Docker is optional.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The interpreters that pyenv has: its shims do not find those that are not chosen.
PYTHONS := $(wildcard $(or $(shell pyenv root 2>/dev/null),$(HOME)/.pyenv)/versions/3.1[1-9]*/bin/python3)
CHECKS = lint,docs,py$$($(BIN)/python -c 'import sys; print(*sys.version_info[:2], sep="")')
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test test-all matrix clean

demo: $(VENV)/.installed  ## Play the public lecture's story on a bundled actor, request by request
	$(BIN)/abacito scenario run scenarios/lecture.yaml

test: $(VENV)/.tox  ## All checks, and all tests on the Python that make found, through tox
	$(BIN)/tox run -e $(CHECKS)

test-all: $(VENV)/.tox  ## The same, and what takes longer
	ABACITO_TEST_PROFILE=thorough $(BIN)/tox run -e $(CHECKS) -- -m ""

matrix: $(VENV)/.tox  ## Every environment of docs/matrix.md, or ENVS=py312,lowest; TESTS: what pytest gets instead
	$(BIN)/tox run $(if $(PYTHONS),--discover $(PYTHONS)) $(addprefix -e ,$(ENVS)) $(if $(TESTS),-- $(TESTS))

clean:
	rm -rf $(VENV) .tox build dist

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "abacito needs Python 3.11 or newer; this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/.tox: $(VENV)/bin/python
	$(BIN)/pip install --quiet 'tox>=4.23'
	@touch $@
