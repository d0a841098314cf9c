# Each target makes the virtual environment itself when it is missing. ARGS passes arguments on: make demo ARGS="--stations 5"
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
ARGS ?=

.PHONY: demo test lint bench kpi chaos

demo: $(STAMP)
	$(PY) -m magwatch demo $(ARGS)

# Two at a time, each file by one of them: most of the time is waiting for servers. ARGS="-n 0" runs them one by one.
test: $(STAMP)
	sh tests/servers.sh
	$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: $(STAMP)
	$(PY) -m pip install --quiet --editable '.[bench]'
	$(PY) -m benchmarks.pipeline $(ARGS)
	$(PY) -m benchmarks.despike $(ARGS)
	$(PY) -m benchmarks.codec $(ARGS)

kpi: $(STAMP)
	$(PY) -m benchmarks.kpi $(ARGS)

chaos: $(STAMP)
	sh tests/servers.sh
	$(PY) -m pytest tests/chaos --chaos $(ARGS)

$(STAMP): pyproject.toml
	python3 -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade pip
	$(PY) -m pip install --editable '.[dev]'
	@echo "compiling the kernels, once"
	$(PY) -c "from stream import pipeline; pipeline.warm_up()"
	$(PY) -c "import asyncio; from gateway import kernels; asyncio.run(kernels.ready())"
	touch $@
