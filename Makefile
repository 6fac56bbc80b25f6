# Every target creates .venv first and installs what it needs; PYTHON chooses the interpreter.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test torture bench experiments figures lint clean

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

experiments: .venv/ready  ## measure what the notebooks show, about 35 minutes; goes on where it was interrupted
	$(BIN)/python -m lightbroker.lab.campaign
	$(BIN)/python -m lightbroker.lab.figures

figures: .venv/ready  ## draw every figure from figures/data, without measuring
	$(BIN)/python -m lightbroker.lab.figures

.venv/ready: pyproject.toml requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

clean:
	rm -rf .venv* build dist *.egg-info
