"""The asset `experiment_overview`: the figures of the database and the results of the checks, in one table."""

import json
from typing import Any

import dagster as dg

from e2i_assets.core.figures import figure
from e2i_assets.definitions import defs


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
    job = defs().resolve_job_def("check_everything")
    nightly = job.execute_in_process(instance=instance, raise_on_error=False)
    passed = [one for one in nightly.get_asset_check_evaluations() if one.passed and one.partition == "cells"]

    found = shown(finished)
    ((metrics, intervals),) = finished.all("SELECT test_metrics, test_intervals FROM ml_training_runs")
    ((moment,),) = finished.all("SELECT decided_at FROM ml_champion_decisions WHERE promoted")
    low, high = (figure(intervals["roc_auc"][end]) for end in ("low", "high"))
    first, second = found["leaderboard"]
    assert len(passed) > 20
    assert first == {
        "experiment": "cells",
        "on test (95 %)": f"roc_auc {figure(metrics['roc_auc'])} ({low} to {high})",
        "model, checks": f"version 1 since {moment:%Y-%m-%d}; {len(passed)} passed, 1 failed",
    }
    assert (second["experiment"], second["on test (95 %)"], second["model, checks"]) == ("new", "-", "no model")
    assert found["problems"][0] == {"experiment": "cells", "problem, owner": "binary, XGBoost, team:tests"}
    broken, untrained = found["needs_attention"]
    assert broken["experiment"] == "cells"
    assert broken["what and why"].startswith("failed: output contract is valid: ")
    assert "hpo_trials_run" in broken["what and why"]
    assert untrained == {"experiment": "new", "what and why": "no model in use: no model was trained yet"}
    assert [one["experiment"] for one in found["retired"]] == ["old"]
    assert found["summary"] == "2 experiments, 1 with a model in use; checks failed: cells"


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
