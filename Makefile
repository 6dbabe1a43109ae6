# `make run` and `make test` need python3 (3.11 or later), make and a package index; the rest is installed below .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# uv does not read pip's settings; where pip has an index or extra wheels (torch for the CPU), uv gets them too.
ifneq ($(PIP_FIND_LINKS),)
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
endif
ifneq ($(PIP_INDEX_URL),)
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif

.PHONY: run ui tour test test-slow bench lint lock clean help
.DEFAULT_GOAL := help

help:
	@echo "make run     install, run the demo study, print its leaderboard, write its report"
	@echo "make ui      Dagster on http://127.0.0.1:3000, MLflow on http://127.0.0.1:5000 (PORT=, MLFLOW_PORT=)"
	@echo "make test    install, run the fast tests (make test-slow: the rest)"
	@echo "make bench   what the platform costs beside plain scripts; writes benchmarks/latest.json"
	@echo "make tour    take the pictures of docs/tour.md again (needs chromium and chromedriver)"
	@echo "make lint    ruff, mypy, import rules"
	@echo "make clean   remove the demo's results, caches and the environment"

run: $(STAMP)
	@$(BIN)/plr run demo

PORT ?= 3000
MLFLOW_PORT ?= 5000

# exec: signals reach the supervisor, not a shell that would leave it behind
ui: $(STAMP)
	@exec $(BIN)/plr ui --port $(PORT) --mlflow-port $(MLFLOW_PORT)

test: $(STAMP)
	$(BIN)/python -m pytest

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

bench: $(STAMP)
	$(BIN)/python -m benchmarks

tour: $(STAMP)
	@$(BIN)/python docs/tour/take_pictures.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Everything is pinned by requirements.lock; pyproject.toml says what is wanted.
$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  ($(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip)
	@echo "installing what requirements.lock pins into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

# torch is locked without its local version, and without the CUDA libraries: each platform resolves its own. Compiled
# into a new file, because what an old lock pins is preferred.
lock: $(STAMP)
	$(BIN)/uv pip compile --quiet --no-annotate --no-header pyproject.toml --extra dev -o $(VENV)/lock
	sed -E -e 's/^(torch==[0-9.]+)\+.*/\1/' -e '/^nvidia-/d' $(VENV)/lock > requirements.lock
	rm $(VENV)/lock

clean:
	rm -rf data/demo .dagster $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
