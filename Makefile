# What a person types. Everything goes through .venv, which scripts/bootstrap.sh makes and keeps up to date from
# requirements.lock. Relative paths only: make cannot hold a checkout whose path has spaces otherwise.

PYTEST_WORKERS ?= 2
# A worker that has nothing left to do takes tests from another one, also out of the middle of a file.
PYTEST := .venv/bin/pytest -n $(PYTEST_WORKERS) --dist worksteal
# What takes longer than .ci/run may: each has a target of its own.
LONG := drill or daemon or fuzz or screenshots or tutorial
# What `make test` runs. CI adds the tests of `processes` and `ui` in the same session (SELECT="not ($(LONG))"): a test
# that waits leaves its core to another one.
SELECT ?= not (processes or ui or $(LONG))

# No library calls home, and a machine without git is fine.
export DAGSTER_DISABLE_TELEMETRY := 1
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := 1
export GIT_PYTHON_REFRESH := quiet

# Where this is set, each program that starts compiles thousands of modules anew: five seconds of the eight it takes.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help fuzz tutorial run dev test processes browser drill test-daemon test-ui screenshots docs lint licences audit format lock schema clean install

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r target text; do \
		printf '  make %-11s %s\n' "$$target" "$$text"; done

run: install ## Run all shipped experiments end to end and show what came out; a second time, resume
	@E2I_DIE_WITH_PARENT=1 .venv/bin/e2i run

dev: install ## Dagster, MLflow and the Optuna dashboard on this machine, until Ctrl-C
	@E2I_DIE_WITH_PARENT=1 .venv/bin/e2i up

test: install ## The whole suite, on the embedded PostgreSQL (PYTEST_WORKERS=2, ARGS="-k name")
	@$(PYTEST) -m "$(SELECT)" $(ARGS)

processes: install ## The tests that start whole programs and kill them: minutes (PYTEST_WORKERS=1 for one after the other)
	@$(PYTEST) -m "processes and not ($(LONG))" $(ARGS)

drill: install ## Real runs, and what can happen to them at random moments, about 60 times (E2I_DRILL_SEED, ARGS="-k lock"): an hour
	@.venv/bin/pytest -m drill $(ARGS)

tutorial: install ## The tutorial of the docs, typed from beginning to end
	@.venv/bin/pytest -m tutorial $(ARGS)

fuzz: install ## Hostile input: 110,000 cases of it (FUZZ_CASES), with a seed that is printed (FUZZ_SEED)
	@.venv/bin/pytest -s -m fuzz $(ARGS)

test-daemon: install ## What runs by itself, with the real daemon and UI: files, rows, failures, kills, a backfill
	@.venv/bin/pytest -m daemon $(ARGS)

browser: install ## Install what drives the browser of test-ui and screenshots
	@.venv/bin/python scripts/install_group.py browser

test-ui: browser ## What a person sees, in a headless Chromium: one run by clicking, the report on a phone and on paper
	@.venv/bin/pytest -m ui $(ARGS)

screenshots: browser ## Take the pictures of README and docs again (docs/pictures)
	@.venv/bin/pytest -m screenshots

docs: install ## The documentation as a site, in docs/_site/index.html
	@.venv/bin/sphinx-build --fail-on-warning --keep-going --quiet docs docs/_site

lint: install ## Style, layers, types, licences, and what must stand in no file
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/python scripts/check_tree.py
	@.venv/bin/python scripts/lock.py --check
	@.venv/bin/python scripts/licences.py

licences: install ## The licence of every package in the lock; fails on one that nobody has allowed
	@.venv/bin/python scripts/licences.py --list

audit: install ## Known faults of the packages in the lock (asks an advisory database, so it needs a network)
	@.venv/bin/uv tool run pip-audit==2.10.1 --strict --disable-pip --require-hashes -r requirements.lock

format: install ## Format the code, and mend what ruff can mend
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

lock: install ## Write requirements.lock from pyproject.toml (ARGS=--upgrade for newer versions)
	@.venv/bin/python scripts/lock.py $(ARGS)

schema: install ## Write the JSON Schema of an experiment file, for editors
	@.venv/bin/e2i experiment schema

clean: ## Remove .venv and the caches; data and results in .e2i stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	@find . -name __pycache__ -type d -not -path './.e2i/*' -prune -exec rm -rf {} +

install: ## Make .venv hold what requirements.lock names (every other target does this first)
	@sh scripts/bootstrap.sh
