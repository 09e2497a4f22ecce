"""The pictures of README and docs, taken by `make screenshots`. Review them before a commit."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import browsing, wait_with_reloads
from served_product import Served, environment, project_folder, served

pytestmark = [pytest.mark.screenshots, pytest.mark.timeout(1200)]

NAME = "rand_inpatient"
# The same question to a linear model without most columns, so that the pictures show a missed criterion.
SECOND, YARDSTICK = "plan_and_age", "rand_inpatient_logistic"
OF_THE_PERSON = (
    *("income", "linc", "educdec", "num", "lfam", "black", "female", "child", "fchild", "mhi", "disea"),
    *("physlm", "ghindx", "hlthg", "hlthf", "hlthp"),
)
# The first experiment meets this at both ends of the interval of its metric: one experiment is fine.
CRITERION, PICTURED = "  roc_auc: 0.63\n", "  roc_auc: 0.62\n"
REPOSITORY = Path(__file__).parents[2]
PICTURES = REPOSITORY / "docs" / "pictures"


@pytest.fixture(scope="module")
def product() -> Iterator[tuple[Served, Path]]:
    """A running `e2i up` with two finished shipped experiments, and the path of the report of the first."""
    with project_folder() as folder:
        first, yardstick = ((REPOSITORY / "experiments" / f"{name}.yaml").read_text() for name in (NAME, YARDSTICK))
        for name, text in ((NAME, first), (SECOND, second(yardstick))):
            (folder / "experiments" / f"{name}.yaml").write_text(text.replace(CRITERION, PICTURED))
        e2i = [sys.executable, "-m", "e2i_assets.cli.main"]
        for name in (NAME, SECOND):  # one after the other: the page of a check shows its last evaluation
            subprocess.run([*e2i, "run", name], cwd=folder, env=environment(folder), check=True, capture_output=True)
        printed = subprocess.run(
            [*e2i, "report", NAME], cwd=folder, env=environment(folder), check=True, capture_output=True, text=True
        )
        with served(folder, automation="off") as running:
            yield running, Path(printed.stdout.strip())


def second(yardstick: str) -> str:
    """Return the experiment of a linear model that knows plan and age alone, made from that of the yardstick."""
    dropped = "".join(f"    - {column}\n" for column in OF_THE_PERSON)
    text = yardstick.replace(f"name: {YARDSTICK}", f"name: {SECOND}").replace("    - lnum\n", f"    - lnum\n{dropped}")
    known = "a linear model that knows the insurance plan and the age alone"
    return text.replace("a linear model, as a yardstick", known)


def keep(page: Any, name: str, **options: Any) -> None:
    """Save a picture with a palette, so that the file is small."""
    from PIL import Image

    path = PICTURES / name
    page.screenshot(path=path, **options)
    with Image.open(path) as taken:
        taken.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    assert 5_000 < path.stat().st_size < 200_000, name


def test_the_pictures_of_the_docs_are_taken(product: tuple[Served, Path]) -> None:
    from playwright.sync_api import expect

    running, report = product
    PICTURES.mkdir(exist_ok=True)
    with browsing() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 860})
        page.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)

        page.goto(f"{running.dagster}/asset-groups")
        expect(page.get_by_text("Materialize all")).to_be_visible()
        page.keyboard.press("Alt+e")
        expect(page.get_by_text("hpo_pattern_memory").first).to_be_visible()
        page.wait_for_timeout(4000)  # the graph moves into place, and its badges load one by one
        keep(page, "lineage.png")

        page.goto(f"{running.dagster}/assets/trained_model?partition={NAME}&view=partitions")
        expect(page.get_by_text("test rows that the search did not use")).to_be_visible()
        keep(page, "trained_model.png")

        page.goto(f"{running.dagster}/assets/trained_model?view=checks")
        page.get_by_text("success_criteria_are_met").first.click()
        expect(page.get_by_text("Evaluation result")).to_be_visible()
        page.wait_for_timeout(2000)
        keep(page, "checks.png")

        page.goto(f"{running.dagster}/assets/hpo_study?partition={NAME}&view=partitions")
        page.get_by_text("[Show Markdown]").first.click()
        expect(page.locator("img[src^='data:image/png']").first).to_be_visible()
        page.wait_for_timeout(1000)
        keep(page, "plot.png")

        page.goto(f"{running.dagster}/assets/experiment_overview")
        page.get_by_text("Materialize", exact=True).first.click()
        wait_with_reloads(page, "2 experiments, 2 with a model in use")
        page.set_viewport_size({"width": 1440, "height": 1250})
        page.wait_for_timeout(2000)
        keep(page, "leaderboard.png")
        page.set_viewport_size({"width": 1440, "height": 860})

        page.goto(f"{running.dagster}/assets/trained_model?partition={NAME}&view=partitions")
        runs = page.locator("a[href*='viewStateShareKey']").first
        expect(runs).to_be_visible()
        # `e2i run` did not know the port on which MLflow is served here.
        page.goto(f"{running.mlflow}/#{str(runs.get_attribute('href')).partition('/#')[2]}")
        expect(page.get_by_text("main/test_roc_auc", exact=True).first).to_be_visible()
        page.wait_for_timeout(3000)
        keep(page, "mlflow.png")

        page.goto(f"{running.optuna}/dashboard")
        page.get_by_text(f"e2i_{NAME}_XGBoost").first.click()
        expect(page.get_by_text("roc_auc").first).to_be_visible()
        page.wait_for_timeout(3000)
        keep(page, "optuna.png")

        page.goto(report.as_uri())
        keep(page, "report.png")
        page.set_viewport_size({"width": 390, "height": 760})
        keep(page, "report_on_a_phone.png")
