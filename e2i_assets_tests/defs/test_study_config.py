"""The launchpad: the budget of one launch, on record and not part of the study, and config that nothing reads."""

from typing import Any

import dagster as dg
import pytest

from e2i_assets.core.search.tuning import Tuned
from e2i_assets.definitions import build, defs

SEARCH = ["dataset", "validation_splits", "warm_start", "hpo_study"]
PLAIN = """
name: plain
owner: team:tests
source: {csv: cells.csv}
target: target
problem_type: binary_classification
columns: {id: [patient]}
algorithm: LogisticRegression
hpo: {enabled: false}
"""
STUDIES = (
    "SELECT spec_hash, n_trials, n_completed + n_pruned + n_failed, budget_override, stop_reason FROM ml_hpo_studies"
)


def launched(project: Any, config: dict[str, Any], op: str = "hpo_study", text: str = "") -> dg.ExecuteInProcessResult:
    name = project.register(text or project.experiment)
    return (
        defs()
        .resolve_job_def("tune_and_train")
        .execute_in_process(
            instance=project.instance,
            partition_key=name,
            raise_on_error=False,
            asset_selection=[dg.AssetKey(one) for one in SEARCH],
            run_config={"ops": {op: {"config": config}}},
        )
    )


def shown(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    made = {event.asset_key.path[-1]: event.materialization for event in result.get_asset_materialization_events()}
    return dict(made["hpo_study"].metadata)


def test_the_trials_of_a_launch_are_run_recorded_and_continued_with_the_budget_of_the_experiment(project: Any) -> None:
    result = launched(project, {"trials": 3})
    assert result.success, project.failure(result)
    ((study, *row),) = project.all(STUDIES)
    assert row == [3, 3, {"trials": 3}, "budget spent"]
    assert shown(result)["budget_override"].value == "3 trials, set at launch"
    first = project.project.read(Tuned, "hpo_study", "cells")
    assert first.result.n_trials == 3
    again = project.run(selection=SEARCH)
    assert again.success, project.failure(again)
    assert project.all(STUDIES) == [(study, 6, 6, {}, "budget spent")]
    assert "budget_override" not in shown(again)
    assert project.project.read(Tuned, "hpo_study", "cells").result.trials[:3] == first.result.trials


def test_the_time_limit_of_a_launch_ends_the_study_and_is_recorded(project: Any) -> None:
    result = launched(project, {"timeout_seconds": 0.001})
    assert result.success, project.failure(result)
    ((_, budget, spent, override, reason),) = project.all(STUDIES)
    assert (budget, override, reason) == (6, {"timeout_seconds": 0.001}, "time is up")
    assert spent < 6


@pytest.mark.parametrize(
    ("op", "config"),
    [
        ("hpo_study", {"trails": 3}),
        ("hpo_study", {"trials": "three"}),
        *((name, {"trials": 3}) for name in ("dataset", "trained_model", "champion_model", "checks_of_dataset")),
    ],
)
def test_config_that_nothing_reads_is_refused_before_the_run(project: Any, op: str, config: dict[str, Any]) -> None:
    project.register()
    job = defs().resolve_job_def("tune_and_train")
    with pytest.raises(dg.DagsterInvalidConfigError, match=next(iter(config))):
        job.execute_in_process(
            instance=project.instance, partition_key="cells", run_config={"ops": {op: {"config": config}}}
        )
    assert project.instance.get_runs() == []


@pytest.mark.parametrize("config", [{"trials": 0}, {"timeout_seconds": -1.0}])
def test_a_budget_of_nothing_fails_the_step_with_the_field(project: Any, config: dict[str, Any]) -> None:
    result = launched(project, config)
    assert not result.success
    assert next(iter(config)) in project.failure(result)
    assert project.all(STUDIES) == []


def test_a_budget_for_an_experiment_without_a_search_is_an_error(project: Any) -> None:
    result = launched(project, {"trials": 3}, text=PLAIN)
    assert not result.success
    assert "experiment plain does not search" in project.failure(result)


def test_the_op_of_the_search_has_the_prefix_of_the_asset_keys(project: Any) -> None:
    job = build(["ml", "churn"]).resolve_job_def("tune_and_train")
    assert "ml__churn__hpo_study" in {node.name for node in job.nodes}
