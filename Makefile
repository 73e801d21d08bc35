# `make demo` and `make test` need Python 3.10 or newer and nothing else: each sets up what it uses in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
.PHONY: demo test lint clean

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev,bench]'
	touch $@

demo: $(VENV)/.installed
	rm -rf demo
	$(BIN)/gm-distill run --out demo/run
	$(BIN)/gm-export --int8 demo/run --out demo/bundle --keep-fp32
	$(BIN)/gm-classify demo/bundle "工业级片碱 氢氧化钠 99% 25kg/袋" "阴离子聚丙烯酰胺 絮凝剂" --top-k 3
	$(BIN)/python -m benchmarks.latency --bundle demo/bundle --quick

test: $(VENV)/.installed
	$(BIN)/python -m pytest -q

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) demo build *.egg-info
