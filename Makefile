# Needs Python 3.11 or newer and make; everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/pytest -n logical --maxprocesses 8 --dist loadfile
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test check check-long fuzz faults bench quality miniature clean

demo: $(VENV)/.installed  ## render toys, build a dataset from them, load it by name
	$(BIN)/mycanvas demo

test: $(VENV)/.installed-dev  ## all tests, warnings as errors
	$(PYTEST)

check: $(VENV)/.installed-dev  ## style, types, structure and tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(PYTEST)

check-long: $(VENV)/.installed-dev  ## campaigns of many minutes
	$(BIN)/pytest -m long -s

fuzz: $(VENV)/.installed-dev  ## 1.25 million random inputs, about ten minutes on two idle cores
	$(BIN)/python -m tests.fuzz

faults: $(VENV)/.installed-dev  ## processes killed, writes that fail, damaged files; about an hour on two idle cores
	$(BIN)/python -m tests.kills
	$(BIN)/python -m tests.write_errors
	$(BIN)/python -m tests.contracts.damage

bench: $(VENV)/.installed-dev  ## speed and memory, as ratios in one run
	$(BIN)/python -m tests.benchmarks

quality: $(VENV)/.installed-dev  ## cut-outs against labels by eye; MYCANVAS_U2NET and MYCANVAS_ISNET name networks
	$(BIN)/python -m tests.quality --draw quality_sheets

miniature: $(VENV)/.installed-dev  ## the poster's experiment on rendered toys, two hours on two idle cores
	$(BIN)/python -m tests.miniature

clean:  ## remove the virtual environment
	rm -rf $(VENV)

$(VENV)/.created:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.installed: pyproject.toml constraints.txt $(VENV)/.created
	$(INSTALL) -e .
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt $(VENV)/.created
	$(INSTALL) "$$(grep ^torch== constraints.txt)"
	$(INSTALL) -e '.[dev,models,review]'
	touch $@ $(VENV)/.installed
