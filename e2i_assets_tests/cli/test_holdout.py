"""`e2i holdout`: every opening needs a reason, is recorded, and shows the earlier openings."""

import json
import shutil
from collections.abc import Callable

import pandas as pd
import pytest
from click.testing import Result
from finished_project import registered
from sklearn.metrics import roc_auc_score

from e2i_assets.adapters.mlflow.models import load_model
from e2i_assets.adapters.repositories.test_access import HoldoutOpening
from e2i_assets.services.checks.check import CheckResult, evaluated
from e2i_assets.services.checks.evaluation import CHECKS
from e2i_assets.services.project import Project

RunCli = Callable[..., Result]


def openings(project: Project) -> list[HoldoutOpening]:
    return project.test_access.openings("plain")


def unseen(project: Project) -> CheckResult:
    (check_spec,) = [one for one in CHECKS if one.name == "holdout_is_unopened"]
    return evaluated(check_spec, project, "plain")


def one_line(text: str) -> str:
    return " ".join(text.split())


def test_opening_without_a_reason_is_refused_and_not_recorded(finished: Project, run_cli: RunCli) -> None:
    for words in (("holdout", "plain"), ("holdout", "plain", "--why", "  ")):
        refused = run_cli(*words)
        assert refused.exit_code == 1
        assert "requires a reason: e2i holdout plain --why" in one_line(refused.output)
    assert openings(finished) == []
    assert unseen(finished).why == "nobody has opened the holdout"


def test_an_experiment_without_a_model_says_how_to_get_one(project: Project, run_cli: RunCli) -> None:
    registered(project)
    refused = run_cli("holdout", "plain", "--why", "the pilot")
    assert refused.exit_code == 1
    assert "plain has no trained model, so there is nothing to evaluate: `e2i run plain` trains one" in one_line(
        refused.output
    )
    assert "is not registered" in one_line(run_cli("holdout", "nobody", "--why", "the pilot").output)


def test_an_opening_shows_and_records_metrics_user_time_and_reason(
    finished: Project, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2I_USER", "ada")
    shown = run_cli("holdout", "plain", "--why", "before the pilot")
    assert shown.exit_code == 0, shown.output
    (opening,) = openings(finished)
    assert (opening.opening, opening.opened_by, opening.reason) == (1, "ada", "before the pilot")
    rows = pd.read_parquet(finished.asset_folder("validation_splits", "plain") / "holdout.parquet")
    (archive,) = finished.settings.state.glob("models/plain/*/data/model")
    scores = load_model(archive).predict_proba(rows)
    expected = roc_auc_score((rows["target"].astype(str) == "1").astype(int), scores[:, 1])
    assert opening.metrics["roc_auc"] == pytest.approx(expected)
    assert opening.holdout_rows == len(rows)
    words = one_line(shown.output)
    assert f"roc_auc {_test_auc(finished):.4f} {expected:.4f}" in words
    assert f"{len(rows)} holdout rows of plain, opened by ada: before the pilot" in words
    assert "This is the first access" in words
    check_result = unseen(finished)
    assert (check_result.outcome, check_result.facts) == ("passed", {"openings": 1})


def _test_auc(project: Project) -> float:
    with project.database.connect() as connection:
        found = connection.exec_driver_sql("SELECT test_metrics->>'roc_auc' FROM ml_training_runs").scalar_one()
    return float(found)


def test_a_later_opening_shows_the_earlier_ones_and_fails_the_check(finished: Project, run_cli: RunCli) -> None:
    run_cli("holdout", "plain", "--why", "before the pilot", "--user", "ada")
    again = one_line(run_cli("holdout", "plain", "--why", "curious", "--user", "grace").output)
    assert "This is access number 2: the rows are no longer unseen." in again
    assert "ada: before the pilot" in again
    assert [one.opening for one in openings(finished)] == [1, 2]
    assert unseen(finished).why.startswith("grace opened it once more at ")
    checked = run_cli("check", "plain")
    assert checked.exit_code == 0
    assert "holdout_is_unopened (failed as a warning)" in one_line(checked.output)


def test_a_model_of_other_rows_is_not_evaluated_on_the_holdout(finished: Project, run_cli: RunCli) -> None:
    facts = finished.asset_folder("validation_splits", "plain") / "value.json"
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "split_hash": "another"}))
    refused = run_cli("holdout", "plain", "--why", "the pilot")
    assert refused.exit_code == 1
    assert "was trained on another split: run `e2i run plain` first" in one_line(refused.output)
    assert openings(finished) == []


def test_without_a_stored_model_nothing_is_opened(finished: Project, run_cli: RunCli) -> None:
    shutil.rmtree(finished.settings.state / "models")
    refused = run_cli("holdout", "plain", "--why", "the pilot")
    assert refused.exit_code == 1
    assert openings(finished) == []
