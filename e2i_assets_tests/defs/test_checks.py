"""The checks as Dagster runs them, on what a real run has stored."""

import json
from typing import Any

import dagster as dg

from e2i_assets.adapters.promises.catalogue import PROMISES
from e2i_assets.definitions import defs
from e2i_assets.defs.io_managers import FolderIOManager
from e2i_assets.defs.resources import ProjectResource

CHAIN = ("dataset", "validation_splits", "warm_start", "hpo_study", "best_hyperparameters")
DEFAULTS = """
name: plain
owner: team:tests
source: {csv: cells.csv}
target: target
problem_type: binary_classification
columns: {id: [patient]}
algorithm: LogisticRegression
hpo: {enabled: false}
success_criteria: {roc_auc: 1.0}
"""


class SpoilingIOManager(FolderIOManager):
    """What a disk or another process can do to a value between its making and its reading."""

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        super().handle_output(context, obj)
        if context.asset_key.path[-1] == "best_hyperparameters":
            file = self.project.workspace().asset_folder("best_hyperparameters", context.partition_key) / "value.json"
            file.write_text(json.dumps({**json.loads(file.read_text()), "hpo_best_value": float("nan")}))


def outcomes(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {one.check_name: one.passed for one in result.get_asset_check_evaluations()}


def materialised(result: dg.ExecuteInProcessResult) -> set[str]:
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key}


def checked_alone(project: Any, asset: str) -> dg.ExecuteInProcessResult:
    job = dg.define_asset_job("checks", dg.AssetSelection.checks_for_assets(dg.AssetKey(asset)))
    with_checks = dg.Definitions.merge(defs(), dg.Definitions(jobs=[job])).resolve_job_def("checks")
    return with_checks.execute_in_process(instance=project.instance, raise_on_error=False)


def test_every_promise_is_a_check_of_its_asset() -> None:
    graph = defs().resolve_asset_graph()
    found = {
        (key.asset_key.to_user_string(), key.name, graph.get_check_spec(key).blocking) for key in graph.asset_check_keys
    }
    assert found == {(one.asset, one.name, one.blocking) for one in PROMISES}


def test_rows_that_are_not_good_enough_go_no_further(project: Any) -> None:
    """T23: the gate is a blocking check; nothing is split, searched or trained."""
    rows = project.rows()
    emptied = [name for name in rows.columns if name not in ("target", "patient")][:28]
    project.write_rows(rows.assign(**{name: rows[name].where(rows.index < 30) for name in emptied}))
    result = project.run()
    assert not result.success
    assert materialised(result) == {"dataset"}
    assert [name for name, passed in outcomes(result).items() if not passed] == ["quality_gate_passes"]
    assert "blocked" in project.failure(result) or "quality_gate_passes" in project.failure(result)


def test_a_broken_contract_trains_nothing(project: Any) -> None:
    """T13: what is judged is what was stored, not what the asset had in its hands; and it blocks."""
    project.register()
    spoiling = SpoilingIOManager(project=ProjectResource(database_url=project.workspace.database.url))
    job = defs().resolve_job_def("tune_and_train")
    result = job.execute_in_process(
        instance=project.instance, partition_key="cells", raise_on_error=False, resources={"io_manager": spoiling}
    )
    assert not result.success
    assert materialised(result) == set(CHAIN)
    (contract,) = [one for one in result.get_asset_check_evaluations() if not one.passed]
    assert contract.check_name == "output_contract_holds"
    assert contract.description == "hpo_best_value: nan must be a finite number"


def test_a_warning_is_shown_and_fails_nothing(project: Any) -> None:
    result = project.run(DEFAULTS)
    assert result.success
    (criteria,) = [one for one in result.get_asset_check_evaluations() if not one.passed]
    assert (criteria.check_name, criteria.severity) == ("success_criteria_are_met", dg.AssetCheckSeverity.WARN)
    assert str(criteria.description).startswith("roc_auc (roc_auc >= 1): not met with 0.9")


def test_without_a_partition_every_experiment_must_keep_the_promise(project: Any) -> None:
    assert project.run(selection=["dataset"]).success
    assert project.run(DEFAULTS, selection=["dataset"]).success
    assert checked_alone(project, "dataset").success
    (project.workspace.asset_folder("dataset", "plain") / "value.json").write_text("{")
    result = checked_alone(project, "dataset")
    (schema,) = [one for one in result.get_asset_check_evaluations() if not one.passed]
    assert schema.check_name == "schema_holds"
    assert str(schema.description).startswith("plain: the stored dataset of plain cannot be read")
    # The other promises cannot be looked at for it: that hides nothing of what was looked at.
    assert "could not look: rows_are_those_of_the_hash" in project.failure(result)


def test_a_check_that_cannot_look_is_neither_passed_nor_failed(project: Any) -> None:
    project.register()
    result = checked_alone(project, "best_hyperparameters")
    assert not result.success
    assert outcomes(result) == {}
    assert "could not look: output_contract_holds: best_hyperparameters" in project.failure(result)
