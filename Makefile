# Every target does its own set-up on a machine with Python 3.11 or later; nothing else has to be there.
#
#   make demo     build, push, pull and run the example agent, without a server and with one
#   make test     every test, real registries and other tools included
#   make check    the minute before a commit: style, types, contracts, fast tests
#   make bench    time and memory beside oras, crane, skopeo and regctl (BENCH="--rounds 3")
#   make format   let ruff put the code in order
#   make venv     the virtual environment alone

BIN := .venv/bin
PARALLEL ?= 2
FAST := not (integration or interop or property or slow)

.DELETE_ON_ERROR:
.PHONY: demo test check bench format venv lint

venv:
	@scripts/make-venv

demo: venv
	@scripts/install-peers
	@scripts/demo

test: venv
	@scripts/install-peers
	@scripts/run-tests -n $(PARALLEL)

lint: venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint
	$(BIN)/python -m pytest -q -n $(PARALLEL) -m "$(FAST)"

bench: venv
	@scripts/install-peers
	$(BIN)/python -m bench $(BENCH)

format: venv
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
