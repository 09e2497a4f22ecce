"""`e2i compare`: two trained experiments on the same test rows, and the recorded use of these rows."""

import json
from collections.abc import Callable

import pytest
from click.testing import Result
from finished_project import PLAIN, made

from e2i_assets.adapters.repositories.test_access import TestAccess
from e2i_assets.services.compare import finished_training
from e2i_assets.services.project import Project

RunCli = Callable[..., Result]
# Other features and another regularisation, on the same rows.
FEWER = PLAIN.replace("name: plain", "name: fewer").replace(
    "hpo: {enabled: false}", "columns: {drop: [worst area, mean area]}\nhpo: {enabled: false}\nfixed: {C: 0.001}"
)


def accesses(project: Project, name: str) -> list[TestAccess]:
    return project.test_access.accesses(finished_training(project, name).fitted_model_key)


def test_two_models_are_compared_on_the_same_test_rows(finished: Project, run_cli: RunCli) -> None:
    early = run_cli("compare", "plain", "plain")
    assert early.exit_code == 1
    assert "a comparison needs two different experiments" in early.output
    made(finished, FEWER)
    page = finished.settings.root / "compared.html"
    shown = run_cli("compare", "plain", "fewer", "--html", str(page), "--user", "ada")
    assert shown.exit_code == 0, shown.output
    assert "fewer is" in shown.output
    assert "DeLong" in shown.output
    assert "columns.drop" in shown.output
    assert "parameters.C" in shown.output
    html = page.read_text()
    assert "plain and fewer" in html
    assert "<script" not in html

    answer = json.loads(run_cli("compare", "plain", "fewer", "--metric", "f1", "--user", "bo", "--json").stdout)
    runs = {name: finished_training(finished, name) for name in ("plain", "fewer")}
    gain = answer["gains"]["fewer"]
    # The stored metrics of both models, recomputed on the common rows.
    assert gain["first"] == pytest.approx(runs["fewer"].test_metrics["f1_score"], abs=1e-9)
    assert gain["second"] == pytest.approx(runs["plain"].test_metrics["f1_score"], abs=1e-9)
    assert gain["low"] <= gain["gain"] <= gain["high"]
    assert [one["features"] for one in answer["models"]] == [31, 29]
    assert all(one["model_bytes"] > 1000 for one in answer["models"])

    (_, looked), other = accesses(finished, "plain"), accesses(finished, "fewer")
    assert (looked.looked_by, len(other)) == ("ada", 2)
    assert looked.reason == f"e2i compare: with fewer ({runs['fewer'].fitted_model_key[:12]})"

    wrong = run_cli("compare", "plain", "fewer", "--metric", "roc_au")
    assert wrong.exit_code == 1
    assert "did you mean 'roc_auc'?" in wrong.output
