# make run      install, then train, register and score on bundled real data
# make test     install, then every check and the whole suite
# make help     everything else
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

help: ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | column -t -s "$$(printf '\t')"

setup: $(VENV)/.installed ## the installation alone

$(VENV)/.installed: requirements.lock pyproject.toml
	@echo "Installing into $(VENV) (about 3 GB, some minutes) …"
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed; set PYTHON=…"'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --no-deps --require-hashes -r requirements.lock
	@$(PIP) install "torch==2.13.0"
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

run: setup ## bundled data from a raw table to a registered, scored and monitored model
	@$(BIN)/automl run doctor_visits

run-all: run ## the same for a multiclass and a regression problem too
	@$(BIN)/automl run digits
	@$(BIN)/automl run diabetes

test: setup lint ## ruff, pyright, import-linter and the whole suite
	$(BIN)/python -m pytest

lint: setup ## ruff, pyright and import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: setup ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

ui: setup ## the Dagster UI, its daemon and MLflow's UI
	@$(BIN)/automl ui

kill-test: setup ## twenty kills at random moments, each followed by a run that must complete
	$(BIN)/python -m pytest tests/end_to_end/test_kill.py --kill-points 20 -n 0

fault-test: setup ## servers that go away, a daemon and runs that are killed in every stage, files that land oddly
	$(BIN)/python -m pytest tests/end_to_end/test_*faults.py tests/end_to_end/test_daemon.py tests/end_to_end/test_servers_gone.py -m "slow or not slow" --timeout 900 -n 0

reproduce-test: setup ## each bundled pipeline as its YAML says, run and made again: identical
	$(BIN)/python -m pytest tests/end_to_end/test_reproduce.py -m "slow or not slow" --timeout 1800 -n 0

simulate: setup ## 24 weeks of a deployed model with the real daemon, then a picture of what happened
	$(BIN)/python -m benchmarks.simulation

benchmarks: setup ## print every figure that the documentation states
	$(BIN)/python -m benchmarks

lock: ## resolve requirements.lock again from the public registry
	$(BIN)/pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe --extra dev --unsafe-package torch \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-header --output-file requirements.lock pyproject.toml
	sed -i '/^# The following packages are considered to be unsafe/,$$d' requirements.lock

clean: ## remove the virtual environment and everything that runs wrote here
	rm -rf $(VENV) .automl build dist .pytest_cache .ruff_cache .hypothesis

.PHONY: help setup run run-all test lint format ui kill-test fault-test reproduce-test simulate benchmarks lock clean
