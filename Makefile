# diaba. `make demo` and `make test` install what they need, once; `make help` lists the rest.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON_TOOLS := .venv/bin/python -m
ARGS ?=

# The tests start hundreds of processes: each would compile the whole project anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup: ## Install what the program needs (the other targets do it by themselves)
	@scripts/setup.sh

.PHONY: demo
demo: setup ## A district from nothing to served; options in ARGS="…"
	@.venv/bin/diaba demo $(ARGS)

.PHONY: serve
serve: setup ## The API and the viewer over what is stored; ARGS="--port 8000"
	@.venv/bin/diaba serve $(ARGS)

.PHONY: bench
bench: setup ## The benchmarks, against the peers that are installed
	@.venv/bin/diaba bench $(ARGS)

.PHONY: fuzz
fuzz: setup ## A running service against its description, ten minutes; ARGS="http://127.0.0.1:8000 --max-time 600"
	@$(PYTHON_TOOLS) scripts.fuzz $(or $(ARGS),http://127.0.0.1:8000 --max-time 600)

.PHONY: test
test: ## Everything: set-up, lint, all tests; some of them with ARGS="tests/lidar -k ground"
	@scripts/setup.sh test
	@$(MAKE) --no-print-directory checks
	@$(PYTHON_TOOLS) pytest -n 3 --dist loadfile --no-loadscope-reorder --durations=40 --durations-min=5 $(ARGS)

.PHONY: lint
lint: setup checks ## Style, types, import directions, dependencies

.PHONY: checks
checks:
	@$(PYTHON_TOOLS) ruff check .
	@$(PYTHON_TOOLS) ruff format --check .
	@$(PYTHON_TOOLS) mypy
	@.venv/bin/lint-imports
	@$(PYTHON_TOOLS) deptry .

.PHONY: docs
docs: setup ## The reference pages of the command line and the HTTP API, out of the code
	@$(PYTHON_TOOLS) scripts.reference docs/reference

.PHONY: screenshots
screenshots: setup ## The README's pictures of the viewer, of the city that is stored (after make demo)
	@$(PYTHON_TOOLS) scripts.screenshots

.PHONY: examples
examples: setup ## Run the examples of the documentation; ARGS="--write" puts their answers into the pages
	@$(PYTHON_TOOLS) scripts.docs $(ARGS)

.PHONY: pictures
pictures: setup ## Make the documentation's pictures anew, after `make demo`; some of them with ARGS="ward inspect"
	@$(PYTHON_TOOLS) scripts.pictures $(ARGS)
	@$(if $(ARGS),,$(PYTHON_TOOLS) scripts.notebook_pictures docs/images)

.PHONY: notebooks
notebooks: setup ## JupyterLab on the planners' worked examples, over what `make demo` made; ARGS="--port=8889"
	@scripts/notebooks.sh $(ARGS)

.PHONY: lock
lock: setup ## Bring requirements.lock and package-lock.json up to pyproject.toml and package.json; UPGRADE=1 for newest
	@scripts/lock.sh $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## Remove the environment and caches; what was stored (.diaba) stays
	@rm -rf .venv node_modules dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -not -path './.diaba/*' -prune -exec rm -rf {} +
