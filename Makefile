# Two commands matter: `make demo` and `make test`. Each sets itself up.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 5000
EXAMPLE ?= bank
SOAK ?= 600
TIMES ?= 50
BIN := $(VENV)/bin
BROWSED := $(shell grep -lE "front_end.chromium|playwright" tests/test_*.py)
NODE_MODULES := tests/front_end/node_modules

.PHONY: demo test coverage bench lowest soak fuzz mutants check docs transcripts
.PHONY: catalogues pictures format clean

demo: $(VENV)/demo.stamp
	PORT=$(PORT) $(BIN)/python examples/$(EXAMPLE)/app.py

# Without npm, or what it installs, the tests of front ends are skipped. A file is run by
# one process, which starts servers once for it. Browsers have the machine to themselves:
# beside tests that kill servers they are kept waiting.
test: $(VENV)/dev.stamp $(if $(shell command -v npm 2>/dev/null),$(NODE_MODULES)/.stamp)
	$(BIN)/pytest -n auto --dist loadfile $(BROWSED:%=--ignore=%)
	$(BIN)/pytest -n auto --dist loadfile $(BROWSED)

# Which lines and branches the tests without a browser reach; takes twice as long.
coverage: $(VENV)/dev.stamp
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -n auto --dist loadfile $(BROWSED:%=--ignore=%)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

# Beside its peers, in one run: PARTS="guard", QUICK=1, RECORD=1.
bench: $(VENV)-bench/bench.stamp
	$(VENV)-bench/bin/python -m benchmarks $(PARTS) $(if $(QUICK),--quick) \
		$(if $(RECORD),--record)

# The tests of what other libraries have a part in, with the lowest versions of these that
# pyproject.toml allows.
lowest: $(VENV)-lowest/dev.stamp
	$(VENV)-lowest/bin/python tests/lowest/run.py

# Workers and ledgers are killed while people use them, for so many seconds in each of
# four combinations.
soak: $(VENV)/dev.stamp
	STEPUP_SOAK_SECONDS=$(SOAK) $(BIN)/pytest -q -s -k promised tests/test_soak.py

# The same properties as in the tests, with other and many more examples.
fuzz: $(VENV)/dev.stamp
	STEPUP_FUZZ=$(TIMES) $(BIN)/pytest -q -n auto tests/test_fuzz_*.py tests/test_flow_model.py

# One small change at a time to what decides: some test has to fail. Takes an hour.
mutants: $(VENV)/dev.stamp
	$(BIN)/python -m pip install -q --group mutants
	$(BIN)/python tests/mutants/run.py $(PARTS)

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	for example in clerk_api flask_login_totp htmx; do \
		MYPYPATH=examples/$$example $(BIN)/mypy examples/$$example || exit 1; done
	$(BIN)/pytest -q tests/test_architecture.py

# The pages of docs/ as a site; a warning is an error.
docs: $(VENV)/dev.stamp
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

# Writes anew what curl and the commands show on pages of docs/.
transcripts: $(VENV)/dev.stamp
	STEPUP_WRITE_DOCS=1 $(BIN)/pytest -q tests/test_transcripts.py \
		tests/test_command_line_page.py tests/test_documentation_reference.py \
		tests/test_observability.py

# Brings all catalogues up to date with the code; LANGUAGE=fr begins one.
catalogues: $(VENV)/dev.stamp
	$(BIN)/python tests/catalogues.py $(LANGUAGE)

# The pictures in the README and docs/looks.md.
pictures: $(VENV)/dev.stamp
	$(BIN)/python tests/pictures.py

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(VENV)-* $(NODE_MODULES) docs/_build dist build .coverage .coverage.*
	rm -rf .mypy_cache .ruff_cache .pytest_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -U 'pip>=25.1'

$(VENV)/demo.stamp: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -e '.[sandbox]' --group examples
	touch $@

$(VENV)/dev.stamp: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -e '.[clerk,redis,sandbox,testing,totp]' --group dev
	touch $@

$(VENV)-lowest/dev.stamp: pyproject.toml tests/lowest/bounds.py tests/lowest/install.py
	$(PYTHON) -m venv --clear $(VENV)-lowest
	$(VENV)-lowest/bin/python -m pip install -q -U 'pip>=25.1' packaging
	$(VENV)-lowest/bin/python tests/lowest/install.py
	touch $@

$(VENV)-bench/bench.stamp: pyproject.toml
	$(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip install -q -U 'pip>=25.1'
	$(VENV)-bench/bin/python -m pip install -q -e '.[clerk,redis,sandbox,totp]' --group bench
	touch $@

$(NODE_MODULES)/.stamp: tests/front_end/package.json
	-cd $(<D) && npm install --no-package-lock --ignore-scripts --no-audit --no-fund \
		&& touch node_modules/.stamp
