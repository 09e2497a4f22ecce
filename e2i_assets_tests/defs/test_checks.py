"""The asset checks as Dagster runs them, on the stored values of a real run."""

import json
import re
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
from e2i_assets.defs.io_managers import IO_MANAGER, FolderIOManager
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
class Damage:
    """A change to the stored value of an asset, and the message of the check that fails for it."""

    asset: str
    apply: Callable[[Path], None]
    words: str
    experiment: str = EXPERIMENT
    stops_at: str = ""  # the asset at which the graph stops, if not `asset`


class DamagingIOManager(FolderIOManager):
    """Damage a value after it is written and before it is read, as a disk or another process can."""

    check_spec: str

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        super().handle_output(context, obj)
        damage = DAMAGES[self.check_spec]
        if context.asset_key.path[-1] == damage.asset:
            damage.apply(self.e2i.open().asset_folder(damage.asset, context.partition_key))


def outcomes(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {one.check_name: one.passed for one in result.get_asset_check_evaluations()}


def materialised(result: dg.ExecuteInProcessResult) -> set[str]:
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key}


def run_checks_of(project: Any, asset: str) -> dg.ExecuteInProcessResult:
    """Run the checks of an asset for all experiments, which needs checks without partitions."""
    job = dg.define_asset_job("checks", dg.AssetSelection.checks_for_assets(dg.AssetKey(asset)))
    with_checks = dg.Definitions.merge(defs(), dg.Definitions(jobs=[job])).resolve_job_def("checks")
    return with_checks.execute_in_process(instance=project.instance, raise_on_error=False)


def test_every_check_of_the_catalogue_is_an_asset_check() -> None:
    graph = defs().resolve_asset_graph()
    found = {
        (key.asset_key.to_user_string(), key.name, graph.get_check_spec(key).blocking) for key in graph.asset_check_keys
    }
    of_all_files = (
        "experiment_files",
        "experiment_files_are_valid",
        False,
    )  # a check of all files, not of one experiment
    assert found == {of_all_files, *((one.asset, one.name, one.blocking) for one in CHECKS)}


def test_rows_that_fail_the_quality_gate_stop_the_graph(project: Any) -> None:
    """The gate is a blocking check: nothing is split, searched or trained."""
    rows = project.rows()
    emptied = [name for name in rows.columns if name not in ("target", "patient")][:28]
    project.write_rows(rows.assign(**{name: rows[name].where(rows.index < 30) for name in emptied}))
    result = project.run()
    assert not result.success
    assert materialised(result) == {"dataset"}
    assert [name for name, passed in outcomes(result).items() if not passed] == ["quality_gate_passes"]
    assert "blocked" in project.failure(result) or "quality_gate_passes" in project.failure(result)


def test_a_failed_warning_check_does_not_fail_the_run(project: Any) -> None:
    result = project.run(DEFAULTS)
    assert result.success
    (criteria,) = [one for one in result.get_asset_check_evaluations() if not one.passed]
    assert (criteria.check_name, criteria.severity) == ("success_criteria_are_met", dg.AssetCheckSeverity.WARN)
    assert re.fullmatch(r"roc_auc 0\.9\d+, required at least 1: missed", str(criteria.description))
    shown = {name: value.value for name, value in criteria.metadata.items()}
    assert shown["roc_auc"] == str(criteria.description).removeprefix("roc_auc ")
    assert "lower success_criteria" in str(shown["what to do"])


def test_a_check_without_a_partition_evaluates_every_experiment(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2I_PARTITIONED_CHECKS", "off")
    assert project.run(selection=["dataset"]).success
    assert project.run(DEFAULTS, selection=["dataset"]).success
    assert run_checks_of(project, "dataset").success
    (project.project.asset_folder("dataset", "plain") / "value.json").write_text("{")
    result = run_checks_of(project, "dataset")
    (schema,) = [one for one in result.get_asset_check_evaluations() if not one.passed]
    assert schema.check_name == "schema_is_valid"
    assert str(schema.description).startswith("plain: the stored dataset of plain cannot be read")
    # The other checks of the experiment cannot be evaluated, and that hides no evaluated check.
    assert "not evaluated: rows_match_the_data_hash" in project.failure(result)


def test_a_check_without_a_stored_value_is_not_evaluated(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2I_PARTITIONED_CHECKS", "off")
    project.register()
    result = run_checks_of(project, "best_hyperparameters")
    assert not result.success
    assert outcomes(result) == {}
    assert (
        "not evaluated: output_contract_is_valid: no experiment has a stored best_hyperparameters"
        in project.failure(result)
    )


def emptied(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(**{name: float("nan") for name in list(rows.columns)[:28]})


def share_an_entity(folder: Path) -> None:
    """Copy a row of test into train, so that its patient is in two splits."""
    test, train = (pd.read_parquet(folder / f"{split}.parquet") for split in ("test", "train"))
    pd.concat([test[:1], train[1:]]).to_parquet(folder / "train.parquet", index=False)


def swap_first_and_last(folder: Path) -> None:
    """Swap the first rows of train and holdout: the earliest row for one of the latest."""
    tables = {split: pd.read_parquet(folder / f"{split}.parquet") for split in ("train", "holdout")}
    pd.concat([tables["holdout"][:1], tables["train"][1:]]).to_parquet(folder / "train.parquet", index=False)
    pd.concat([tables["train"][:1], tables["holdout"][1:]]).to_parquet(folder / "holdout.parquet", index=False)


def value(change: Callable[[Any], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        file = folder / "value.json"
        document = json.loads(file.read_text())
        change(document)
        file.write_text(json.dumps(document))

    return damage


def table(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        file = folder / "table.parquet"
        change(pd.read_parquet(file)).to_parquet(file, index=False)

    return damage


TIMED = EXPERIMENT.replace("columns: {group: patient}", "columns: {id: [patient], time: day}")
KEPT_OUT = EXPERIMENT.replace("columns: {group: patient}", "columns: {group: patient, drop: [mean texture]}")
LIMITED = EXPERIMENT.replace("workers: 1}", "workers: 1, constraints: {model_size: 10000000}}")


def reveal_target(folder: Path) -> None:
    """Set one feature to the class, in train and in validation."""
    for split in ("train", "validation"):
        rows = pd.read_parquet(folder / f"{split}.parquet")
        is_benign = (rows["kind"] == "benign").astype(float)
        rows.assign(**{"mean area": is_benign}).to_parquet(folder / f"{split}.parquet", index=False)


def use_dropped_column(folder: Path) -> None:
    """Make a feature of a column that the experiment drops."""
    table(lambda rows: rows.assign(**{"mean texture": rows["mean area"] ** 0.5}))(folder)
    value(lambda data: data["features"].append("mean texture"))(folder)


def copy_train_rows(folder: Path) -> None:
    """Replace the validation rows by rows of train."""
    train, validation = (pd.read_parquet(folder / f"{split}.parquet") for split in ("train", "validation"))
    train.head(len(validation)).to_parquet(folder / "validation.parquet", index=False)


def use_previous_target(rows: pd.DataFrame) -> pd.DataFrame:
    previous = (rows["kind"] == "benign").astype(float).groupby(rows["patient"]).shift(1)
    return rows.assign(**{"mean area": previous})


DAMAGES = {
    "no_feature_is_the_target_of_another_row": Damage("dataset", table(use_previous_target), "mean area"),
    "rows_match_the_schema_file": Damage(
        "dataset", table(lambda rows: rows.assign(**{"mean area": rows["mean area"] * 1000})), "mean area breaks"
    ),
    "no_feature_reveals_the_target": Damage("validation_splits", reveal_target, "mean area"),
    "no_duplicate_rows_across_splits": Damage("validation_splits", copy_train_rows, "validation"),
    "constraints_are_satisfied": Damage(
        "hpo_study",
        value(lambda tuned: [one["constraint_values"].update(model_size=1e9) for one in tuned["result"]["trials"]]),
        "model_size at most 1e+07 is required, and trial",
        LIMITED,
        stops_at="best_hyperparameters",
    ),
    "quality_gate_passes": Damage("dataset", table(emptied), "blocked"),
    "target_is_not_a_feature": Damage(
        "dataset",
        table(lambda rows: rows.assign(**{"mean area": (rows["kind"] == "benign").astype(float)})),
        "mean area",
    ),
    "excluded_columns_are_not_features": Damage(
        "dataset",
        use_dropped_column,
        "mean texture is a feature and should not be: dropped by the experiment",
        KEPT_OUT,
    ),
    "no_entity_in_two_splits": Damage("validation_splits", share_an_entity, "are in two splits, for example p"),
    "time_is_in_order": Damage("validation_splits", swap_first_and_last, "train lasts until", TIMED),
    "values_are_in_the_search_space": Damage(
        "warm_start",
        value(
            lambda start: start["configurations"].append(
                {**start["configurations"][0], "values": {"max_depth": 12}} if start["configurations"] else {}
            )
        ),
        "max_depth: 12 must lie in [2, 3]",
    ),
    "best_value_is_finite": Damage(
        "hpo_study",
        value(lambda tuned: tuned["result"]["trials"][0].update(value=float("nan"))),
        "the stored hpo_study of cells cannot be read, materialise it again",
    ),
    "output_contract_is_valid": Damage(
        "best_hyperparameters",
        value(lambda output: output.update(hpo_best_value=float("inf"))),
        "hpo_best_value: inf must be a finite number",
    ),
    "parameters_equal_the_best_trial": Damage(
        "best_hyperparameters",
        value(lambda output: output.update(hpo_duration_seconds=1e6)),
        "hpo_duration_seconds is 1000000.0, and by the study",
    ),
    "training_contract_is_valid": Damage(
        "trained_model",
        value(lambda output: output["trained_model"].update(training_samples=0)),
        "trained_model.training_samples: 0 must be greater than or equal to 1",
    ),
}


# In CI, one for each asset; that each damage fails its check is tested in services/test_checks.py and its siblings.
IN_CI = {
    *("rows_match_the_schema_file", "no_entity_in_two_splits", "values_are_in_the_search_space"),
    *("best_value_is_finite", "output_contract_is_valid", "training_contract_is_valid"),
}


@pytest.mark.parametrize(
    "name", [name if name in IN_CI else pytest.param(name, marks=pytest.mark.drill) for name in DAMAGES]
)
def test_a_failed_blocking_check_stops_the_graph_and_fails_e2i_check(
    project: Any, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No later asset is materialised, and `e2i check` exits with 1 and reports what is wrong."""
    damage = DAMAGES[name]
    project.write_rows(project.rows().assign(day=pd.date_range("2024-01-01", periods=569).astype(str)))
    project.register(damage.experiment)
    damaging = DamagingIOManager(e2i=ProjectResource(database_url=project.project.database.url), check_spec=name)
    result = (
        defs()
        .resolve_job_def("tune_and_train")
        .execute_in_process(
            instance=project.instance, partition_key="cells", raise_on_error=False, resources={IO_MANAGER: damaging}
        )
    )
    assert not result.success
    asset = damage.stops_at or damage.asset
    assert materialised(result) == set(GRAPH[: GRAPH.index(asset) + 1])
    failed = {one.check_name: one for one in result.get_asset_check_evaluations() if not one.passed}
    assert failed[name].blocking
    assert damage.words in str(failed[name].description)

    with pytest.raises(typer.Exit) as ended:
        check()
    assert ended.value.exit_code == 1
    output = " ".join(capsys.readouterr().out.split())
    assert f"{asset} {name} (failed): " in output
    assert damage.words.split(":")[0] in output


def test_every_blocking_check_has_one_damaged_value() -> None:
    assert set(DAMAGES) == {one.name for one in CHECKS if one.blocking}
