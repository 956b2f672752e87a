# make report: the co-design report of a built-in trace profile. make test, make lint, make bench.
# Each makes .venv with what it needs on its first call (Python 3.11 or newer, no compiler) and installs nothing after that.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: report test lint bench fidelity clean

report: $(VENV)/.run
	$(BIN)/hotrow report --out out/report.html

test: $(VENV)/.test
	$(BIN)/python -m pytest

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=$(VENV)/src $(BIN)/mypy -p hotrow

bench: $(VENV)/.bench
	$(BIN)/python -m pytest tests/benchmarks -o python_files='bench_*.py' --benchmark-sort=name --benchmark-columns=min,median,iqr,rounds

# Every number of docs/fidelity.md and docs/whole_samples.md: make fidelity TRACES=folder-of-npz-traces
fidelity: $(VENV)/.run
	$(BIN)/python -m hotrow.experiments.fidelity.report $(TRACES) out/fidelity docs/fidelity-numbers.md
	$(BIN)/python -m hotrow.experiments.fidelity.log_report $(TRACES) out/whole-samples docs/whole-samples-numbers.md

# mypy -p hotrow finds the package through a link, whatever the checkout's folder is called.
$(VENV)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "hotrow needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; name another one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	mkdir -p $(VENV)/src && ln -sfn ../.. $(VENV)/src/hotrow
	touch $@

$(VENV)/.run: $(VENV)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.test: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .[test]
	touch $@

$(VENV)/.bench: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .[bench]
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .[peers]
	touch $@

clean:
	rm -rf $(VENV) out build *.egg-info .pytest_cache .mypy_cache .ruff_cache
