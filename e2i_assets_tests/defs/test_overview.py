"""The asset `experiment_overview`: the figures of the database and the results of the checks, in one table."""

import json
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from e2i_assets.core.figures import figure
from e2i_assets.definitions import defs
from e2i_assets.defs.check_results import check_results
from e2i_assets.defs.namespace import namespace_of
from e2i_assets.defs.overview import overview_metadata
from e2i_assets.services.overview import CheckOutcome, Standing

WRONG, TO_DO = "what is wrong, and since when", "what to do: command or key"


def shown(project: Any) -> dict[str, Any]:
    """Materialize the asset and return its metadata: tables as lists of rows."""
    job = defs().resolve_implicit_global_asset_job_def()
    key = dg.AssetKey("experiment_overview")
    result = job.execute_in_process(instance=project.instance, asset_selection=[key], raise_on_error=False)
    assert result.success, project.failure(result)
    (event,) = result.get_asset_materialization_events()
    return {
        name: [record.data for record in value.records] if isinstance(value, dg.TableMetadataValue) else value.value
        for name, value in event.materialization.metadata.items()
    }


def test_it_shows_the_model_in_use_its_checks_and_what_needs_attention(finished: Any) -> None:
    instance, project = finished.instance, finished.project
    finished.register()
    spec = project.experiments.get("cells").spec
    for name in ("new", "old"):
        project.experiments.register(name, {**spec, "name": name})
    project.experiments.retire("old")
    file = project.asset_folder("best_hyperparameters", "cells") / "value.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "hpo_trials_run": -1}))
    file = project.asset_folder("dataset", "cells") / "value.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "rows_without_target": 3}))
    job = defs().resolve_job_def("check_everything")
    started = datetime.now(UTC)
    job.execute_in_process(instance=instance, raise_on_error=False)
    second = datetime.now(UTC)
    nightly = job.execute_in_process(instance=instance, raise_on_error=False)
    passed = [one for one in nightly.get_asset_check_evaluations() if one.passed and one.partition == "cells"]

    results = check_results(instance, namespace_of(project.settings))["cells"]
    assert [started < one.since < second for one in results if one.since] == [True, True]
    found = shown(finished)
    ((metrics, intervals),) = finished.all("SELECT test_metrics, test_intervals FROM ml_training_runs")
    ((moment,),) = finished.all("SELECT decided_at FROM ml_champion_decisions WHERE promoted")
    low, high = (figure(intervals["roc_auc"][end]) for end in ("low", "high"))
    first, second = found["leaderboard"]
    assert len(passed) > 20
    assert first == {
        "experiment": "cells",
        "on test (95 %)": f"roc_auc {figure(metrics['roc_auc'])} ({low} to {high})",
        "model, checks": f"version 1 since {moment:%Y-%m-%d}; checks: {len(passed)} passed, 1 failed, "
        "1 failed as a warning",
    }
    assert (second["experiment"], second["on test (95 %)"], second["model, checks"]) == ("new", "-", "no model")
    kinds = {"experiment": "cells", "problem type, algorithm, owner": "binary, XGBoost, team:tests"}
    assert found["experiments"][0] == kinds
    assert list(found)[:2] == ["needs_attention", "summary"]
    broken, untrained, missed = found["needs_attention"]
    begin = f'cells (since {started:%Y-%m-%d}): check "output contract is valid" failed: '
    assert broken[WRONG].startswith(begin)
    assert "hpo_trials_run" in broken[WRONG]
    assert broken[TO_DO].startswith("Make the value again: `e2i run cells`, or materialize best_hyperparameters")
    why = 'check "every row has a target" failed as a warning, which blocks nothing: 3 of '
    assert why in missed[WRONG]
    assert missed[TO_DO].startswith("Fill in the missing targets")
    assert untrained == {
        WRONG: "new: no model is in use: none was trained yet",
        TO_DO: "Train one: `e2i run new`.",
    }
    assert [one["experiment"] for one in found["retired"]] == ["old"]
    assert found["summary"] == (
        "2 experiments, 1 with a model in use; checks failed: cells; "
        "checks failed as a warning, which blocks nothing: cells"
    )


def standing(name: str, value: float, **changes: Any) -> Standing:
    fixed: dict[str, Any] = {"owner": "team:tests", "algorithm": "XGBoost", "low": None, "high": None, "test_rows": 90}
    fixed |= {"problem_type": "regression", "metric": "rmse", "greater_is_better": False, "of_component": False}
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    fixed |= {"version": "1", "since": moment, "trained_at": moment, "retired_at": None, "question": "one"}
    checks = [CheckOutcome("dataset", "schema_is_valid", "passed")]
    return Standing(experiment=name, value=value, **{**fixed, "checks": checks, **changes})


def test_it_names_the_best_of_the_experiments_that_answer_the_same_question() -> None:
    found = overview_metadata([standing("a", 2.0), standing("b", 1.0), standing("c", 0.5, question="another")])
    assert found["needs_attention"] == "Nothing: no check failed, and each experiment has a model in use."
    assert "best on test: b, rmse 1 (of 2 with the same source and target)" in found["summary"]
    cells = [record.data["on test (95 %)"] for record in found["leaderboard"].records]
    assert cells == ["rmse 2", "rmse 1, best of 2", "rmse 0.5"]


def test_it_says_when_the_best_may_be_so_by_chance() -> None:
    near, far = (standing(name, 2.0, low=low, high=2.2) for name, low in (("near", 1.1), ("far", 1.8)))
    first = standing("b", 1.0, low=0.8, high=1.2)
    assert "b, rmse 1 (of 2 with the same source and target)" in overview_metadata([far, first])["summary"]
    doubtful = "; its interval overlaps that of near, so compare them on the same rows: `e2i compare b near`)"
    assert doubtful in overview_metadata([far, first, near])["summary"]


def test_a_file_that_is_not_valid_needs_attention() -> None:
    (line,) = overview_metadata([], {"churn.yaml": "metric: unknown"})["needs_attention"].records
    assert line.data[WRONG] == "churn.yaml: the file is not valid: metric: unknown"
    assert "`e2i experiment validate`" in str(line.data[TO_DO])


def test_it_is_requested_after_another_champion_and_after_other_files() -> None:
    key = dg.AssetKey("experiment_overview")

    def requested(cursor: Any) -> tuple[int, Any]:
        found = dg.evaluate_automation_conditions(
            defs(), instance, asset_selection=dg.AssetSelection.assets(key), cursor=cursor
        )
        return found.get_num_requested(key), found.cursor

    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("experiment", ["one", "two"])
        count, cursor = requested(None)
        assert count == 0
        for event in (
            dg.AssetMaterialization("champion_model", partition="one"),
            dg.AssetMaterialization("experiment_files"),
        ):
            instance.report_runless_asset_event(event)
            count, cursor = requested(cursor)
            assert count == 1
            count, cursor = requested(cursor)
            assert count == 0
