# Everything for a fresh clone. Needs Python >= 3.11 with venv, and make; Docker is optional.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test test-all clean

demo: $(VENV)/.installed  ## Play the public lecture's story on a bundled actor, request by request
	$(BIN)/abacito scenario run scenarios/lecture.yaml

test: $(VENV)/.tox  ## All checks and tests, through tox
	$(BIN)/tox run

test-all: $(VENV)/.tox  ## The same, and what takes longer
	ABACITO_TEST_PROFILE=thorough $(BIN)/tox run -- -m ""

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
