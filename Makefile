# The targets that people use; `make help` lists them.

PYTHON ?= python3
BIN := .venv/bin
UV := $(shell command -v uv 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help install install-dev demo dev test lint types stop clean lock env-file

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

install: .venv/.installed env-file ## make .venv with the locked dependencies, and .env

install-dev: .venv/.installed-dev env-file ## the same, with what the tests need

demo: install ## sync a real connector into the layers, twice, and show the result
	@$(BIN)/atlas demo

dev: install ## Dagster's UI and daemon on http://127.0.0.1:3000
	@$(BIN)/atlas dev

test: lint types ## everything: lint, types, tests
	$(BIN)/pytest -n logical --maxprocesses 4 --dist worksteal

lint: install-dev ## ruff, its formatter included
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install-dev ## pyright: the package strictly, tests and benchmarks in its basic mode
	$(BIN)/pyright
	$(BIN)/pyright --project pyright-basic.json --warnings

stop: install ## stop the embedded PostgreSQL
	@$(BIN)/atlas postgres stop

clean: ## remove .venv and caches; data under .atlas stay
	@if [ -x $(BIN)/atlas ]; then $(BIN)/atlas postgres stop; fi
	rm -rf .venv build *.egg-info .pytest_cache .ruff_cache .hypothesis .tmp_dagster_home_*
	find atlas_dagster* -name __pycache__ -type d -prune -exec rm -rf {} +

lock: ## resolve requirements.lock and requirements-dev.lock anew (needs uv)
	uv pip compile $(LOCK_OPTIONS) pyproject.toml -o requirements.lock
	uv pip compile $(LOCK_OPTIONS) pyproject.toml --extra dev -c requirements.lock -o requirements-dev.lock

# The stamps are written last: an install that was cut short is done again.
.venv/.installed: requirements.lock pyproject.toml
	$(call install_locked,requirements.lock)
	@touch $@

.venv/.installed-dev: requirements-dev.lock requirements.lock pyproject.toml
	$(call install_locked,requirements-dev.lock)
	@touch .venv/.installed $@

LOCK_OPTIONS := --quiet --universal --python-version 3.10 --no-emit-index-url \
	--custom-compile-command "make lock"

# Without bytecode every command costs twice the CPU, and PYTHONDONTWRITEBYTECODE would withhold it.
# Some packages carry files that do not compile; their import would say so.
define install_locked
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || { \
		echo "Atlas needs Python 3.10 to 3.13; name one: make $(or $(MAKECMDGOALS),install) PYTHON=/path/to/python" >&2; exit 1; }
	$(if $(UV),$(call install_by_uv,$(1)),$(call install_by_pip,$(1)))
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m compileall -qq -j 0 .venv/lib atlas_dagster || true
endef

define install_by_uv
@test -x $(BIN)/python || $(UV) venv --quiet --python "$$(command -v $(PYTHON))" .venv
	$(UV) pip install --quiet --python $(BIN)/python -r $(1)
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps -e .
endef

define install_by_pip
@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "$(PYTHON) has no working venv module (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r $(1)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps -e .
endef

# Dagster wants DAGSTER_HOME absolute, and reads .env from the directory that a command is run in.
env-file:
	@test -f .env || (umask 077 && cp .env.example .env)
	@grep -q '^ *\(export *\)\{0,1\}DAGSTER_HOME *=' .env || printf "\nDAGSTER_HOME='%s'\n" "$(CURDIR)" >> .env
