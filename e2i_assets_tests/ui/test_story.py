"""The UI: a partition materialised by clicking, from the catalogue to checks, the leaderboard, MLflow and Optuna."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from browser import browsing, wait_with_reloads
from served_product import Served, project_folder, served
from sklearn.datasets import load_breast_cancer

pytestmark = [pytest.mark.ui, pytest.mark.timeout(600)]

ASSETS = (
    *("dataset", "validation_splits", "warm_start", "hpo_study", "best_hyp…arameters"),
    *("trained_model", "hpo_pattern_memory"),
)
EXPERIMENT = """
name: cells
description: Is this cell malignant?
owner: team:tests
source: {csv: cells.csv}
target: {name: kind, column: target, bins: [0], labels: [malignant, benign]}
problem_type: binary_classification
metric: log_loss
algorithm: XGBoost
search_space: {max_depth: {low: 2, high: 3}}
hpo: {trials: 10}
success_criteria: {roc_auc: 0.6}
"""
SLOWLY = 240_000


@pytest.fixture(scope="module")
def product() -> Iterator[Served]:
    with project_folder() as folder:
        (folder / "experiments" / "cells.yaml").write_text(EXPERIMENT)
        load_breast_cancer(as_frame=True).frame.to_csv(folder / "cells.csv", index=False)
        # With automation the experiment would be trained before the first click.
        with served(folder, automation="off") as running:
            yield running


def test_an_experiment_is_materialised_by_clicking_and_leads_to_its_mlflow_run(product: Served) -> None:
    from playwright.sync_api import expect

    with browsing() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)

        # The lineage, with every asset of the graph.
        page.goto(f"{product.dagster}/asset-groups")
        expect(page.get_by_text("Materialize all")).to_be_visible()
        page.keyboard.press("Alt+e")
        for asset in ASSETS:
            expect(page.get_by_text(asset, exact=True).first).to_be_visible()

        # A partition, materialised by clicking: the job of the whole graph.
        page.goto(f"{product.dagster}/locations/e2i_assets/jobs/tune_and_train")
        page.get_by_text("Materialize all").first.click()
        page.get_by_role("button", name="All", exact=True).click()
        page.get_by_role("button", name="Launch 1 run").click()
        expect(page.get_by_role("dialog")).to_have_count(0)

        # Its run: progress in the log, then success.
        page.goto(f"{product.dagster}/runs")
        row = page.locator("a[href^='/runs/']").filter(has_text=re.compile("^[0-9a-f]{8}$")).first
        run = str(row.get_attribute("href"))
        page.goto(f"{product.dagster}{run}")
        expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=SLOWLY)
        # The page shows only the visible lines of its log, so the log is read through GraphQL.
        assert re.search(r"trial \d+ of 10 [A-Z]+, best log_loss so far 0\.\d+", _log(page, product, run)), _log(
            page, product, run
        )

        # From the catalogue to the model, whose checks have all passed.
        page.goto(f"{product.dagster}/assets")
        page.get_by_text("trained_model", exact=True).first.click()
        page.get_by_role("tab", name="Checks").click()
        expect(page.get_by_text("Succeeded", exact=True).nth(8)).to_be_visible()
        expect(page.get_by_text("Not Evaluated")).to_have_count(0)

        # The summary of the study, its table, and its pictures.
        page.goto(f"{product.dagster}/assets/hpo_study?partition=cells&view=partitions")
        expect(page.get_by_text("completed: budget spent")).to_be_visible()
        page.get_by_text("[Show Markdown]").first.click()
        picture = page.locator("img[src^='data:image/png']").first
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.naturalWidth") > 300

        page.goto(f"{product.dagster}/assets/trained_model?partition=cells&view=partitions")
        expect(page.get_by_text("On 86 test rows that the search did not use")).to_be_visible()
        expect(page.get_by_text("balanced_accuracy")).to_be_visible()
        # A long address would push texts over the edge, where Dagster cuts them.
        outside = "cells => cells.filter(c => c.innerText.trim() && c.getBoundingClientRect().right > innerWidth - 24)"
        assert page.locator("td").evaluate_all(f"cells => ({outside})(cells).length") == 0

        _leaderboard_fits_the_page(page, product)

        # From the model to MLflow, and to the report in it.
        page.goto(f"{product.dagster}/assets/trained_model?partition=cells&view=partitions")
        _mlflow_lists_the_runs_with_their_main_metrics(page, product)
        link = page.locator("a[href*='/#/runs/']")
        address = str(link.first.get_attribute("href"))
        assert address.startswith(product.mlflow)
        page.goto(address)
        expect(page.get_by_text("Finished").first).to_be_visible()
        page.get_by_role("tab", name="Model metrics").click()
        expect(page.get_by_text("test_log_loss_of_dummy", exact=True)).to_be_visible()
        kept = f"{product.mlflow}/get-artifact?path=report.html&run_uuid={address.rpartition('/')[2]}"
        assert "Intended use and limits" in page.request.get(kept).text()

        _mlflow_is_in_model_training(page, product)
        _optuna_minimises_the_error(page, product)

        # And back: the run in MLflow names the run in Dagster.
        assert run.removeprefix("/runs/") in page.content() or _named_in(product, address, run)


def _leaderboard_fits_the_page(page: Any, product: Served) -> None:
    from playwright.sync_api import expect

    page.goto(f"{product.dagster}/assets/experiment_overview")
    page.get_by_text("Materialize", exact=True).first.click()
    wait_with_reloads(page, "1 experiment, 1 with a model in use")
    expect(page.get_by_text("version 1 since")).to_be_visible()
    expect(page.get_by_text("needs_attention", exact=True)).to_be_visible()
    assert _tables_fit(page)


def _tables_fit(page: Any) -> bool:
    """Return whether no table is wider than the place that Dagster gives it."""
    fits = "table => table.scrollWidth <= table.parentElement.clientWidth + 1"
    return all(table.evaluate(fits) for table in page.locator("table").all())


def _mlflow_lists_the_runs_with_their_main_metrics(page: Any, product: Served) -> None:
    from playwright.sync_api import expect

    address = str(page.locator("a[href*='viewStateShareKey']").first.get_attribute("href"))
    assert address.startswith(product.mlflow)
    fresh = page.context.browser.new_page(viewport={"width": 1440, "height": 900})
    fresh.goto(address)
    for column in ("main/test_log_loss", "main/success_criteria_met"):
        expect(fresh.get_by_text(column, exact=True).first).to_be_visible()
    fresh.close()


def _mlflow_is_in_model_training(page: Any, product: Served) -> None:
    from playwright.sync_api import expect

    # In a browser that has not seen MLflow before, which keeps these choices in the browser.
    fresh = page.context.browser.new_page()
    fresh.goto(f"{product.mlflow}/#/experiments")
    fresh.get_by_role("link", name="e2i_cells", exact=True).click()
    # The list of runs, not that of traces.
    expect(fresh.locator("a[href*='/runs/']").first).to_be_visible()
    expect(fresh).to_have_url(re.compile("workflowType=machine_learning"))
    fresh.goto(f"{product.mlflow}/#/settings")
    expect(fresh.get_by_text("Enable telemetry")).to_be_visible()
    # The theme and telemetry.
    assert [one.is_checked() for one in fresh.get_by_role("switch").all()] == [False, False]
    fresh.close()


def _optuna_minimises_the_error(page: Any, product: Served) -> None:
    from playwright.sync_api import expect

    page.goto(f"{product.optuna}/dashboard")
    expect(page.get_by_text("Direction: MINIMIZE")).to_be_visible()
    page.get_by_text("e2i_cells_XGBoost").first.click()
    expect(page.get_by_text("log_loss").first).to_be_visible()


def _log(page: Any, product: Served, run: str) -> str:
    """Return the messages of a run's log."""
    query = """query ($run: ID!) { logsForRun(runId: $run, limit: 1000) {
        ... on EventConnection { events { ... on MessageEvent { message } } } } }"""
    asked = {"query": query, "variables": {"run": run.removeprefix("/runs/")}}
    events = page.request.post(f"{product.dagster}/graphql", data=asked).json()["data"]["logsForRun"]["events"]
    return "\n".join(event["message"] for event in events)


def _named_in(product: Served, address: str, run: str) -> bool:
    """Return whether MLflow's API has the id of the Dagster run for the MLflow run at this address."""
    import json
    import urllib.request

    mlflow_run = address.rpartition("/")[2]
    query = f"{product.mlflow}/api/2.0/mlflow/runs/get?run_id={mlflow_run}"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(query, timeout=30) as answer:
        tags = {tag["key"]: tag["value"] for tag in json.load(answer)["run"]["data"]["tags"]}
    return bool(tags["dagster_run_id"] == run.removeprefix("/runs/"))
