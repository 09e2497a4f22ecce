"""The checks as Dagster runs them, on what a real run has stored."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
import typer

from e2i_assets.cli.check import check
from e2i_assets.definitions import defs
from e2i_assets.defs.io_managers import FolderIOManager
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.services.checks.catalogue import CHECKS

GRAPH = (
    *("dataset", "validation_splits", "warm_start", "hpo_study", "best_hyperparameters", "trained_model"),
    "hpo_pattern_memory",
)
EXPERIMENT = """
name: cells
owner: team:tests
source: {csv: cells.csv}
target: {name: kind, column: target, bins: [0], labels: [malignant, benign]}
problem_type: binary_classification
columns: {group: patient}
algorithm: XGBoost
search_space: {max_depth: {low: 2, high: 3}}
hpo: {trials: 2, workers: 1}
"""
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


@dataclass(frozen=True)
class Poison:
    """What is done to the stored value of an asset, and the words with which the promise about it breaks."""

    asset: str
    spoil: Callable[[Path], None]
    words: str
    experiment: str = EXPERIMENT
    stops_at: str = ""  # where it is not the asset itself


class SpoilingIOManager(FolderIOManager):
    """What a disk or another process can do to a value between its making and its reading."""

    check_spec: str

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        super().handle_output(context, obj)
        poison = POISONS[self.check_spec]
        if context.asset_key.path[-1] == poison.asset:
            poison.spoil(self.project.open().asset_folder(poison.asset, context.partition_key))


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
    of_all_files = ("dataset", "experiment_files_are_valid", False)  # of no experiment, so no promise of one
    assert found == {of_all_files, *((one.asset, one.name, one.blocking) for one in CHECKS)}


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
    (project.project.asset_folder("dataset", "plain") / "value.json").write_text("{")
    result = checked_alone(project, "dataset")
    (schema,) = [one for one in result.get_asset_check_evaluations() if not one.passed]
    assert schema.check_name == "schema_is_valid"
    assert str(schema.description).startswith("plain: the stored dataset of plain cannot be read")
    # The other promises cannot be looked at for it: that hides nothing of what was looked at.
    assert "not evaluated: rows_match_the_data_hash" in project.failure(result)


def test_a_check_that_cannot_look_is_neither_passed_nor_failed(project: Any) -> None:
    project.register()
    result = checked_alone(project, "best_hyperparameters")
    assert not result.success
    assert outcomes(result) == {}
    assert "not evaluated: output_contract_is_valid: best_hyperparameters" in project.failure(result)


def emptied(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(**{name: float("nan") for name in list(rows.columns)[:28]})


def into_two_roles(folder: Path) -> None:
    """Put a row of test among the rows of train, where its patient is not."""
    test, train = (pd.read_parquet(folder / f"{role}.parquet") for role in ("test", "train"))
    pd.concat([test[:1], train[1:]]).to_parquet(folder / "train.parquet", index=False)


def out_of_order(folder: Path) -> None:
    """Exchange the first rows of train and holdout: the earliest for one of the latest."""
    parts = {role: pd.read_parquet(folder / f"{role}.parquet") for role in ("train", "holdout")}
    pd.concat([parts["holdout"][:1], parts["train"][1:]]).to_parquet(folder / "train.parquet", index=False)
    pd.concat([parts["train"][:1], parts["holdout"][1:]]).to_parquet(folder / "holdout.parquet", index=False)


def value(change: Callable[[Any], object]) -> Callable[[Path], None]:
    def poison(folder: Path) -> None:
        file = folder / "value.json"
        document = json.loads(file.read_text())
        change(document)
        file.write_text(json.dumps(document))

    return poison


def table(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    def poison(folder: Path) -> None:
        file = folder / "table.parquet"
        change(pd.read_parquet(file)).to_parquet(file, index=False)

    return poison


TIMED = EXPERIMENT.replace("columns: {group: patient}", "columns: {id: [patient], time: day}")
KEPT_OUT = EXPERIMENT.replace("columns: {group: patient}", "columns: {group: patient, drop: [mean texture]}")
LIMITED = EXPERIMENT.replace("workers: 1}", "workers: 1, constraints: {model_size: 10000000}}")


def given_away(folder: Path) -> None:
    """Have one feature say the class, in train and in validation."""
    for role in ("train", "validation"):
        rows = pd.read_parquet(folder / f"{role}.parquet")
        told = (rows["kind"] == "benign").astype(float)
        rows.assign(**{"mean area": told}).to_parquet(folder / f"{role}.parquet", index=False)


def brought_back(folder: Path) -> None:
    """Learn from a column that the experiment drops."""
    table(lambda rows: rows.assign(**{"mean texture": rows["mean area"] ** 0.5}))(folder)
    value(lambda data: data["features"].append("mean texture"))(folder)


def copied(folder: Path) -> None:
    """Have the validation rows be rows of train."""
    train, validation = (pd.read_parquet(folder / f"{role}.parquet") for role in ("train", "validation"))
    train.head(len(validation)).to_parquet(folder / "validation.parquet", index=False)


def of_the_row_before(rows: pd.DataFrame) -> pd.DataFrame:
    known = (rows["kind"] == "benign").astype(float).groupby(rows["patient"]).shift(1)
    return rows.assign(**{"mean area": known})


POISONS = {
    "no_feature_is_the_target_of_another_row": Poison("dataset", table(of_the_row_before), "mean area"),
    "rows_match_the_schema_file": Poison(
        "dataset", table(lambda rows: rows.assign(**{"mean area": rows["mean area"] * 1000})), "mean area breaks"
    ),
    "no_feature_reveals_the_target": Poison("validation_splits", given_away, "mean area"),
    "no_duplicate_rows_across_splits": Poison("validation_splits", copied, "validation"),
    "constraints_are_satisfied": Poison(
        "hpo_study",
        value(lambda tuned: [one["constraint_values"].update(model_size=1e9) for one in tuned["result"]["trials"]]),
        "model_size at most 1e+07 is asked for, and trial",
        LIMITED,
        stops_at="best_hyperparameters",
    ),
    "quality_gate_passes": Poison("dataset", table(emptied), "blocked"),
    "target_is_not_a_feature": Poison(
        "dataset",
        table(lambda rows: rows.assign(**{"mean area": (rows["kind"] == "benign").astype(float)})),
        "mean area",
    ),
    "excluded_columns_are_not_features": Poison(
        "dataset",
        brought_back,
        "mean texture is a feature and should not be: dropped by the experiment",
        KEPT_OUT,
    ),
    "no_entity_in_two_splits": Poison("validation_splits", into_two_roles, "stand in two roles, for example p"),
    "time_is_in_order": Poison("validation_splits", out_of_order, "train lasts until", TIMED),
    "values_are_in_the_search_space": Poison(
        "warm_start",
        value(
            lambda start: start["configurations"].append(
                {**start["configurations"][0], "values": {"max_depth": 12}} if start["configurations"] else {}
            )
        ),
        "max_depth: 12 must lie in [2, 3]",
    ),
    "best_value_is_finite": Poison(
        "hpo_study",
        value(lambda tuned: tuned["result"]["trials"][0].update(value=float("nan"))),
        "the stored hpo_study of cells cannot be read, materialise it again",
    ),
    "output_contract_is_valid": Poison(
        "best_hyperparameters",
        value(lambda output: output.update(hpo_best_value=float("inf"))),
        "hpo_best_value: inf must be a finite number",
    ),
    "parameters_equal_the_best_trial": Poison(
        "best_hyperparameters",
        value(lambda output: output.update(hpo_duration_seconds=1e6)),
        "hpo_duration_seconds is 1000000.0, and by the study",
    ),
    "training_contract_is_valid": Poison(
        "trained_model",
        value(lambda output: output["trained_model"].update(training_samples=0)),
        "trained_model.training_samples: 0 must be greater than or equal to 1",
    ),
}


@pytest.mark.parametrize("name", POISONS)
def test_a_blocking_promise_that_breaks_in_storage_stops_the_graph_and_the_merge(
    project: Any, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """T13, T23, T24: nothing is made of it, and `e2i check` leaves with 1 and says what is wrong."""
    poison = POISONS[name]
    project.write_rows(project.rows().assign(day=pd.date_range("2024-01-01", periods=569).astype(str)))
    project.register(poison.experiment)
    spoiling = SpoilingIOManager(e2i=ProjectResource(database_url=project.project.database.url), check_spec=name)
    result = (
        defs()
        .resolve_job_def("tune_and_train")
        .execute_in_process(
            instance=project.instance, partition_key="cells", raise_on_error=False, resources={"io_manager": spoiling}
        )
    )
    assert not result.success
    asset = poison.stops_at or poison.asset
    assert materialised(result) == set(GRAPH[: GRAPH.index(asset) + 1])
    broken = {one.check_name: one for one in result.get_asset_check_evaluations() if not one.passed}
    assert broken[name].blocking
    assert poison.words in str(broken[name].description)

    with pytest.raises(typer.Exit) as left:
        check()
    assert left.value.exit_code == 1
    said = " ".join(capsys.readouterr().out.split())
    assert f"{asset} {name} (failed): " in said
    assert poison.words.split(":")[0] in said


def test_every_blocking_promise_is_poisoned_once() -> None:
    assert set(POISONS) == {one.name for one in CHECKS if one.blocking}
