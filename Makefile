# The commands of the project. All programs run in .venv, which scripts/bootstrap.sh creates and updates from
# requirements.lock. All paths are relative: otherwise make fails in a checkout whose path contains spaces.

PYTEST_WORKERS ?= 2
# One thread each: the workers use every core already, and threads that wait for one another cost a tenth.
PYTEST_ENVIRONMENT := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
# An idle worker takes tests from another worker, also from the middle of a file.
PYTEST := $(PYTEST_ENVIRONMENT) .venv/bin/pytest -n $(PYTEST_WORKERS) --dist worksteal
# Tests that are too long for .ci/run: each group has its own target.
LONG := drill or daemon or fuzz or screenshots or tutorial or helm
# What `make test` runs. CI adds the tests of `processes` and `ui` in the same session (SELECT="not ($(LONG))"): a test
# that waits leaves its core to another.
SELECT ?= not (processes or ui or $(LONG))

# Turn the telemetry of libraries off, and accept a machine without git.
export DAGSTER_DISABLE_TELEMETRY := 1
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := 1
export GIT_PYTHON_REFRESH := quiet

# If this is set, each program compiles thousands of modules again at its start: five of eight seconds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help fuzz tutorial run dev test test-catboost processes browser drill test-daemon test-ui screenshots docs lint wheel licences audit format lock schema clean install image helm release

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r target text; do \
		printf '  make %-11s %s\n' "$$target" "$$text"; done

run: install ## Run all shipped experiments end to end and show the results; a second run resumes
	@E2I_DIE_WITH_PARENT=1 .venv/bin/e2i run

dev: install ## Serve Dagster, MLflow and the Optuna dashboard on this machine, until Ctrl-C
	@E2I_DIE_WITH_PARENT=1 .venv/bin/e2i up

test: install ## Run the test suite on the embedded PostgreSQL (PYTEST_WORKERS=2, ARGS="-k name")
	@$(PYTEST) -m "$(SELECT)" $(ARGS)

processes: install ## Run the tests that start and kill whole programs: minutes (PYTEST_WORKERS=1 runs them in sequence)
	@$(PYTEST) -m "processes and not ($(LONG))" $(ARGS)

drill: install ## Run about 60 real runs with faults at random moments, and the long forms of other tests: an hour
	@.venv/bin/pytest -m drill $(ARGS)

test-catboost: install ## Run the tests of the algorithms for CatBoost, which is not in the lock; it is installed first
	@.venv/bin/python scripts/install_group.py catboost
	@$(PYTEST) -m "not ($(LONG))" -k CatBoost $(ARGS)

tutorial: install ## Run every command of the tutorial, from beginning to end
	@.venv/bin/pytest -m tutorial $(ARGS)

fuzz: install ## Run 110,000 cases of hostile input (FUZZ_CASES), with a printed seed (FUZZ_SEED)
	@.venv/bin/pytest -s -m fuzz $(ARGS)

test-daemon: install ## Test automation with the real daemon and UI: files, rows, failures, kills, a backfill
	@.venv/bin/pytest -m daemon $(ARGS)

browser: install ## Install the browser driver of test-ui and screenshots
	@.venv/bin/python scripts/install_group.py browser

test-ui: browser ## Test the UI in a headless Chromium: a run by clicking, the report on a phone and on paper
	@.venv/bin/pytest -m ui $(ARGS)

screenshots: browser ## Take the pictures of README and docs again (docs/pictures)
	@.venv/bin/pytest -m screenshots

docs: install ## Build the documentation as a site, in docs/_site/index.html
	@.venv/bin/sphinx-build --fail-on-warning --keep-going --quiet docs docs/_site

lint: install ## Check style, layers, types, licences, and text that no file may contain
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/python scripts/check_tree.py
	@.venv/bin/python scripts/lock.py --check
	@.venv/bin/python scripts/licences.py

wheel: install ## Build the wheel into dist/
	@.venv/bin/uv build --quiet --wheel --no-build-isolation --out-dir dist .

image: wheel ## Build the image e2i_assets and try it (DOCKER=podman, BUILDER="buildah bud", BUILD_ARGS, RUN_ARGS)
	@$(or $(BUILDER),$(or $(DOCKER),docker) build) -f deploy/Dockerfile $(BUILD_ARGS) -t e2i_assets .
	@.venv/bin/python scripts/smoke_image.py $(or $(DOCKER),docker) -- $(RUN_ARGS)

helm: install ## Render deploy/dagster-values.yaml with your helm, and check it (CHART=folder of Dagster's chart, HELM=helm)
	@mkdir -p dist
	@$(or $(HELM),helm) template e2i "$(CHART)" --namespace e2i -f deploy/dagster-values.yaml > dist/chart.yaml
	@E2I_RENDERED_CHART=dist/chart.yaml .venv/bin/pytest -m helm e2i_assets_tests/test_deploy_rendered.py $(ARGS)

release: install ## Prepare the release VERSION=x.y.z: version, changelog, wheel, data for upgrade tests, image if possible
	@.venv/bin/python scripts/release.py $(VERSION)

licences: install ## List the licence of every locked package; fail on a licence that is not allowed
	@.venv/bin/python scripts/licences.py --list

audit: install ## Check locked packages for known vulnerabilities (needs a network, for an advisory database)
	@.venv/bin/uv tool run pip-audit==2.10.1 --strict --disable-pip --require-hashes -r requirements.lock

format: install ## Format the code and apply the fixes of ruff
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

lock: install ## Write requirements.lock from pyproject.toml (ARGS=--upgrade for newer versions)
	@.venv/bin/python scripts/lock.py $(ARGS)

schema: install ## Write the JSON Schema of an experiment file, for editors
	@.venv/bin/e2i experiment schema

clean: ## Remove .venv and the caches; data and results in .e2i stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	@find . -name __pycache__ -type d -not -path './.e2i/*' -prune -exec rm -rf {} +

install: ## Install the packages of requirements.lock into .venv (every other target does this first)
	@sh scripts/bootstrap.sh
