# Every target creates .venv first and installs what it needs; PYTHON chooses the interpreter.
PYTHON ?= python3
BIN := .venv/bin
# Most tests wait most of the time, so four processes keep two cores busy. The tests of a file run in one process and in
# their order, and so do all notebooks. The files keep their order as well, since those that take long come first.
BESIDE := -n 4 --dist=loadfile --no-loadscope-reorder
# The core, in memory and on SQLite.
CORE := tests/contract tests/core tests/aio tests/adversary/models/test_model.py tests/adversary/models/test_topic_model.py \
	tests/adversary/schedules tests/stores/test_sqlite.py tests/stores/test_shared.py tests/test_layers.py
# What another version of Python can break.
PORTABLE := tests/adversary/models tests/adversary/interrupts tests/adversary/schedules tests/contract tests/core \
	tests/aio tests/stores
NOTEBOOKS ?= $(wildcard notebooks/*.ipynb notebooks/solutions/*.ipynb)

.PHONY: demo check test torture lint bench bench-memory bench-peers bench-storage experiments figures notebooks lab
.PHONY: slides zipapp dist clean

demo: .venv/ready  ## the block pipeline on the recorded chain
	$(BIN)/lightbroker demo

check: lint  ## the tests of the core, style and types, within 90 seconds
	$(BIN)/python -m pytest $(BESIDE) -k "not redis" $(CORE)

test: .venv/ready  ## every test
	$(BIN)/python -m pytest $(BESIDE)

portable-%: .venv-%/ready  ## portable-3.12: the tests that a version of Python can break, with python3.12
	.venv-$*/bin/python -m pytest $(BESIDE) $(PORTABLE)

torture: .venv/ready  ## the adversarial tests at full length, hours
	$(BIN)/python -m tests.adversary.torture

lint: .venv/ready  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p lightbroker

bench: bench-memory bench-peers bench-storage  ## measure, about 35 minutes; keeps results with the machine they came from

bench-memory: .venv/ready  ## the memory store beside the queues of the standard library, about 20 minutes
	$(BIN)/lightbroker bench --out figures/data/bench.json

bench-peers: .venv/ready  ## LightBroker beside what people use instead, about 5 minutes
	$(BIN)/lightbroker bench --peers --out figures/data/peers.json

bench-storage: .venv/ready  ## the stores beside their peers, about 8 minutes
	$(BIN)/lightbroker bench --storage --out figures/data/storage.json

experiments: .venv/ready  ## measure what the notebooks show, about 35 minutes; goes on where it was interrupted
	$(BIN)/python -m lightbroker.lab.bench.campaign
	$(BIN)/python -m lightbroker.lab.figures

figures: .venv/ready  ## draw every figure from figures/data, without measuring
	$(BIN)/python -m lightbroker.lab.figures

notebooks: .venv/ready  ## run every notebook at full scale and keep its outputs and figures; NOTEBOOKS chooses
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False $(NOTEBOOKS)

lab: .venv/ready  ## JupyterLab at the index of the notebooks, which it shows as a page and not as its source
	mkdir -p .venv/share/jupyter/lab/settings
	cp notebooks/overrides.json .venv/share/jupyter/lab/settings/
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/notebooks/README.md

slides: .venv/ready build/reveal/node_modules  ## dist/walkthrough.html, and .pdf if there is a Chromium: ten minutes, without a network
	$(BIN)/python deploy/build_slides.py build/reveal/node_modules/reveal.js dist/walkthrough.html
	! command -v chromium || { for budget in 10000 30000 90000; do \
		chromium --headless --no-sandbox --no-pdf-header-footer --virtual-time-budget=$$budget \
			--print-to-pdf=dist/walkthrough.pdf "file://$(CURDIR)/dist/walkthrough.html?view=print"; \
		test $$(wc -c < dist/walkthrough.pdf) -gt 100000 && exit 0; \
	done; echo "dist/walkthrough.pdf has no slides; try again when the machine is less busy" >&2; exit 1; }

build/reveal/node_modules:
	npm install --silent --no-audit --no-fund --prefix build/reveal reveal.js@5.2.1

zipapp: .venv/ready  ## dist/lightbroker.pyz: one file that runs with nothing but Python
	$(BIN)/python deploy/build_zipapp.py dist/lightbroker.pyz

dist: .venv/ready  ## the sdist in dist/, and the wheel built from it
	$(BIN)/python -m build --no-isolation --outdir dist .

.venv/ready: pyproject.toml requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv-%/ready: pyproject.toml
	python$* -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check -e '.[portable]'
	touch $@

clean:
	rm -rf .venv* build dist *.egg-info
