# kronos-health. `make help` lists the targets; the README says what they show.
#
# Variables, on the command line or from the environment:
#   TORCH_INDEX             package index to take torch from as well; without a GPU: https://download.pytorch.org/whl/cpu
#   KRONOS_HEALTH_STATE_DIR everything that is written at run time, caches included (default: var/ here)
#   PYTHON                  interpreter to build .venv/ with (default: the first suitable one of 3.11, 3.12, 3.13)
#   ARGS                    handed on to kronos-health up, kronos-health check or pytest
#   TEST_JOBS               processes for `make test` (default: 3, for two cores: tests also wait)

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
TORCH_INDEX ?=
TEST_JOBS ?= 3
ARGS ?=

# One folder for all state. Libraries that would write to the home folder are told to stay inside it.
KRONOS_HEALTH_STATE_DIR ?= $(CURDIR)/var
override STATE := $(abspath $(KRONOS_HEALTH_STATE_DIR))
CACHE := $(STATE)/cache
export KRONOS_HEALTH_STATE_DIR := $(STATE)
export AIRFLOW_HOME ?= $(STATE)/airflow
export CUDA_CACHE_PATH ?= $(CACHE)/cuda
export HF_HOME ?= $(CACHE)/huggingface
export MPLCONFIGDIR ?= $(CACHE)/matplotlib
export PIP_CACHE_DIR ?= $(CACHE)/pip
export PRE_COMMIT_HOME ?= $(CACHE)/pre-commit
export SE_CACHE_PATH ?= $(CACHE)/selenium
export TORCH_HOME ?= $(CACHE)/torch
export TORCHINDUCTOR_CACHE_DIR ?= $(CACHE)/inductor
export TRITON_CACHE_DIR ?= $(CACHE)/triton
export XDG_CACHE_HOME ?= $(CACHE)/xdg

INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
# The tests choose their own state folders.
PYTEST := env -u KRONOS_HEALTH_STATE_DIR $(BIN)/python -m pytest
SHELL_SCRIPTS := .ci/run tools/preflight tools/install $(wildcard docker/*.sh)

.PHONY: help up check test test-slow test-gpu lint format bench bench-gpu clean preflight preflight-test preflight-slow

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@sed -n 's/^#   /  /p' Makefile

up: $(INSTALLED) ## start everything on this machine and say EAGER or COMPILED
	@$(BIN)/kronos-health up $(ARGS)

# make's own failure would hide the status behind its own 2, so 0 and 1 both are a finished check.
check: $(INSTALLED) ## one pass without the UI; prints the status: 0 well, 1 attention, 2 could not check
	@status=0; $(BIN)/kronos-health check $(ARGS) || status=$$?; \
	case "$$status" in \
	  0) word="well" ;; 1) word="wants attention" ;; *) word="could not check" ;; \
	esac; \
	echo "kronos-health check: exit status $$status ($$word)"; \
	[ "$$status" -le 1 ]

test: preflight-test $(INSTALLED_DEV) ## the fast tests, on both databases
	@$(PYTEST) -n $(TEST_JOBS) --dist worksteal $(ARGS)

test-slow: preflight-slow $(INSTALLED_DEV) ## the proofs that take minutes
	@$(PYTEST) -m 'slow and not gpu' --timeout 1800 $(ARGS)

test-gpu: preflight-test $(INSTALLED_DEV) ## the tests that need CUDA
	@$(PYTEST) -m gpu --timeout 1800 $(ARGS)

lint: $(INSTALLED_DEV) ## style, types, floors, YAML, shell
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/yamllint --strict .
	@$(BIN)/shellcheck $(SHELL_SCRIPTS)
	@if [ -x $(BIN)/hadolint ]; then $(BIN)/hadolint --config docker/hadolint.yaml docker/Dockerfile docker/Dockerfile.gpu; fi

format: $(INSTALLED_DEV) ## let ruff arrange the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(INSTALLED_DEV) ## the benchmarks that run on any machine
	@$(BIN)/python -m benchmarks $(ARGS)

bench-gpu: $(INSTALLED_DEV) ## the benchmarks that need CUDA
	@$(BIN)/python -m benchmarks --gpu $(ARGS)

clean: ## remove what make built; the history under var/ stays
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +

preflight:
	@tools/preflight >/dev/null

preflight-test:
	@tools/preflight test >/dev/null

preflight-slow:
	@tools/preflight test slow >/dev/null

# The environment is made anew only when what it is made from has changed. The dev extra contains the others.
$(INSTALLED): pyproject.toml constraints.txt tools/install | preflight
	@TORCH_INDEX='$(TORCH_INDEX)' tools/install $(VENV) '$(STATE)' '.'
	@touch $@

$(INSTALLED_DEV): pyproject.toml constraints.txt tools/install | preflight
	@TORCH_INDEX='$(TORCH_INDEX)' tools/install $(VENV) '$(STATE)' '.[dev]'
	@touch $(INSTALLED) $@
