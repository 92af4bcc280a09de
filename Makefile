# The commands of the project. `make demo` and `make test` are all that a newcomer needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
PORT ?= 3000
TEST_PROCESSES ?= 2
UV_VERSION := 0.13
export UV_PYTHON_DOWNLOADS := never
export DAGSTER_HOME := $(CURDIR)
export CT_ASSETS_STATE ?= $(CURDIR)/.state
export DAGSTER_DISABLE_TELEMETRY := 1

.PHONY: help
help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: install
install: $(VENV)/.installed ## Install everything into .venv

$(VENV)/.installed: requirements.lock pyproject.toml tools/check_prerequisites.sh
	@tools/check_prerequisites.sh "$(PYTHON)"
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv~=$(UV_VERSION)"
	$(UV) pip sync --python $(VENV) --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(VENV) --no-deps --editable .
	@touch $@

.PHONY: demo
demo: install ## Make the demo collection, annotate it, print the results
	$(BIN)/ct-assets demo

.PHONY: ui
ui: install ## Open the web UI on http://127.0.0.1:3000 (PORT=…), models resident in Ray
	tools/serve_ui.sh $(BIN) $(PORT)

.PHONY: debian-packages
debian-packages: ## Install the Debian packages that the tests use (validators, readers, browser)
	tools/install_debian_packages.sh

.PHONY: test
test: install debian-packages ## Run the tests
	$(BIN)/pytest -m "not cuda" -n $(TEST_PROCESSES) --dist loadscope --no-loadscope-reorder $(PYTEST_ARGS)

.PHONY: lint
lint: install ## Check style, types and the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: bench-cohort
bench-cohort: install ## Time cohort selection at NLST's size and the header index; one JSON line last
	$(BIN)/python -m benchmarks.cohort

.PHONY: bench-bodypart
bench-bodypart: install ## Time body part regression beside bpreg's own inference; one JSON line last
	$(BIN)/python -m benchmarks.bodypart

.PHONY: bench-segmentation
bench-segmentation: install ## Time organ segmentation beside nnUNet_predict; one JSON line last
	$(BIN)/python -m benchmarks.segmentation

.PHONY: bench-segmentation-memory
bench-segmentation-memory: install ## Memory of a CT of 600 slices, ours beside nnUNet_predict; one JSON line last
	$(BIN)/python -m benchmarks.segmentation_memory

.PHONY: bench-segmentation-fast
bench-segmentation-fast: install ## What the preset fast saves, and costs in agreement; one JSON line last
	$(BIN)/python -m benchmarks.segmentation_fast

.PHONY: bench-shape
bench-shape: install ## Time the shape features of four organs beside pyradiomics; one JSON line last
	$(BIN)/python -m benchmarks.shape

.PHONY: bench-dicom
bench-dicom: install ## Time and size our SEG and SR beside dcmqi's; one JSON line last
	$(BIN)/python -m benchmarks.dicom

.PHONY: bench-qc
bench-qc: install debian-packages ## Time the mask metrics beside plastimatch's and the cohort report; one JSON line last
	$(BIN)/python -m benchmarks.qc

.PHONY: bench-ops
bench-ops: install debian-packages ## What running costs per series, and 100,000 of them; one JSON line last
	$(BIN)/python -m benchmarks.ops

.PHONY: format
format: install ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: lock
lock: ## Resolve the dependencies anew into requirements.lock, which holds names, versions and hashes
	$(UV) pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-package triton --no-header --quiet -o requirements.lock

.PHONY: clean
clean: ## Remove the environment and Dagster's state; results in data/ stay
	rm -rf $(VENV) .state
