# Every target creates .venv first and installs what it needs; PYTHON chooses the interpreter.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test torture bench lint clean

demo: .venv/ready  ## the block pipeline on the recorded chain
	$(BIN)/lightbroker demo

test: .venv/ready  ## every test
	$(BIN)/python -m pytest

torture: .venv/ready  ## the adversarial tests at full length, hours
	$(BIN)/python -m tests.adversary.torture

lint: .venv/ready  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p lightbroker

bench: .venv/ready  ## measure, about 20 minutes; keeps the result with the machine it came from
	$(BIN)/lightbroker bench --out figures/data/bench.json

.venv/ready: pyproject.toml requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

clean:
	rm -rf .venv* build dist *.egg-info
