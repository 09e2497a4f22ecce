"""The checks on stored values of the real functions: each damaged value fails only the checks of that value."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest
from databases import temporary
from originals import Original, original
from readable_facts import unreadable
from sklearn.datasets import load_breast_cancer, load_diabetes

from e2i_assets.adapters.files import asset_values
from e2i_assets.adapters.mlflow.models import load_model, save_model
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings
from e2i_assets.adapters.sources import datasets
from e2i_assets.core.automation.champion import ChampionModel
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.dataset import Dataset, DatasetFacts, dataset_of
from e2i_assets.core.data.split_tables import SearchRows, TrainingRows
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.core.figures import figure
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study_output import hpo_output
from e2i_assets.services import promote, remember, split, train, tune
from e2i_assets.services.checks import model_links
from e2i_assets.services.checks.actions import ACTIONS, action
from e2i_assets.services.checks.catalogue import CHECKS, experiments_with
from e2i_assets.services.checks.check import CheckResult, evaluated
from e2i_assets.services.project import Project

ROOT = Path(__file__).parents[2]
CELLS = """
name: cells
owner: team:tests
source: {csv: cells.csv}
target: target
problem_type: binary_classification
columns: {group: patient}
algorithm: XGBoost
search_space: {n_estimators: {low: 20, high: 60, step: 20}, max_depth: {low: 2, high: 3}}
hpo: {trials: 4}
success_criteria: {roc_auc: 0.6}
"""
SUGAR = """
name: sugar
owner: team:tests
source: {csv: sugar.csv}
target: target
problem_type: regression
columns: {time: day, id: [visit]}
algorithm: Ridge
hpo: {enabled: false}
success_criteria: {maximum_rmse: 1}
"""
LARGE = """
name: large
owner: team:tests
source: {csv: large.csv}
target: target
problem_type: regression
algorithm: Ridge
hpo: {enabled: false}
"""


@dataclass(frozen=True)
class Made:
    """A project with stored values, and the operations that change them."""

    project: Project

    def results(self, experiment: str = "cells") -> dict[str, CheckResult]:
        found = {one.name: evaluated(one, self.project, experiment) for one in CHECKS}
        assert unreadable(found) == []
        return found

    def not_passed(self, experiment: str = "cells") -> dict[str, str]:
        return {name: one.outcome for name, one in self.results(experiment).items() if not one.passed}

    def execute(self, statement: str) -> None:
        with self.project.database.begin() as connection:
            connection.exec_driver_sql(statement)

    def file(self, asset: str, name: str = "value.json", experiment: str = "cells") -> Path:
        return self.project.asset_folder(asset, experiment) / name

    def edit(self, asset: str, change: Callable[[Any], object], experiment: str = "cells") -> None:
        file = self.file(asset, experiment=experiment)
        value = json.loads(file.read_text())
        change(value)
        file.write_text(json.dumps(value))

    def edit_rows(
        self, asset: str, name: str, change: Callable[[pd.DataFrame], pd.DataFrame], experiment: str = "cells"
    ) -> None:
        file = self.file(asset, name, experiment)
        change(pd.read_parquet(file)).to_parquet(file, index=False)


def sources(root: Path) -> None:
    cells = load_breast_cancer(as_frame=True).frame
    cells["patient"] = [f"p{position // 2}" for position in range(len(cells))]
    cells.to_csv(root / "cells.csv", index=False)
    sugar = load_diabetes(as_frame=True).frame
    sugar["day"] = pd.date_range("2024-01-01", periods=len(sugar)).strftime("%Y-%m-%d")
    sugar["visit"] = range(len(sugar))
    sugar.to_csv(root / "sugar.csv", index=False)


def make(project: Project, text: str) -> None:
    """Run the steps of the assets, with each value written to its file and read from it."""
    experiment = parse_experiment(text, "test")
    project.experiments.register(experiment.name, experiment.model_dump(mode="json"))

    def stored(asset: str, value: Any, kind: Any) -> Any:
        asset_values.write(value, project.asset_folder(asset, experiment.name))
        return project.read(kind, asset, experiment.name)

    raw = datasets.load(experiment.source, project.settings.root, os.environ)
    data = stored("dataset", dataset_of(raw, experiment), Dataset)
    rows = stored("validation_splits", split.split(project, experiment, data), SearchRows)
    start = stored("warm_start", remember.warm_start(project, experiment, rows), remember.WarmStart)
    tuned = stored("hpo_study", tune.tuned(project, experiment, rows, start, print), tuning.Tuned)
    output = hpo_output(experiment, tuned.identity, tuned.result)
    hpo = stored("best_hyperparameters", output, HpoOutput)
    facts = project.read(DatasetFacts, "dataset", experiment.name)
    training_rows = project.read(TrainingRows, "validation_splits", experiment.name)
    done = train.train(project, experiment, facts, training_rows, tuned, hpo, uuid4().hex)
    stored("trained_model", done.output, type(done.output))
    stored("champion_model", promote.promote(project, experiment, training_rows), ChampionModel)
    remembered = remember.remember(project, experiment, rows.facts, start, tuned)
    stored("hpo_pattern_memory", remembered, remember.Remembered)


def make_both(project: Project) -> None:
    sources(project.settings.root)
    for text in (CELLS, SUGAR):
        make(project, text)


@pytest.fixture(scope="session")
def finished(server: Database, template: str, shared_folder: Path) -> Original:
    """Two finished experiments, made once for all tests of this module."""
    return original(server, template, shared_folder, "e2i_checks", make_both)


@pytest.fixture
def made(finished: Original, server: Database, tmp_path: Path) -> Iterator[Made]:
    """A copy of the finished experiments, which a test may damage."""
    with temporary(server, finished.database) as database:
        project = Project(Settings(root=tmp_path, state=tmp_path / "state"), database)
        finished.copy_files(project)
        yield Made(project)


def test_every_check_of_a_finished_experiment_passes(made: Made) -> None:
    assert made.not_passed() == {}


def trial(position: int, **fields: object) -> Callable[[Any], object]:
    return lambda tuned: tuned["result"]["trials"][position].update(fields)


def swap(one: str, other: str, experiment: str = "cells") -> Callable[[Made], object]:
    """Swap the first rows of two splits, which keeps the numbers of rows."""

    def damage(made: Made) -> None:
        files = [made.file("validation_splits", f"{split_name}.parquet", experiment) for split_name in (one, other)]
        first, second = (pd.read_parquet(file) for file in files)
        pd.concat([second[:1], first[1:]]).to_parquet(files[0], index=False)
        pd.concat([first[:1], second[1:]]).to_parquet(files[1], index=False)

    return damage


def spec(path: str, value: str) -> Callable[[Made], object]:
    statement = f"UPDATE ml_experiments SET spec = jsonb_set(spec, '{path}', '{value}') WHERE experiment_name = 'cells'"
    return lambda made: made.execute(statement)


def sql(statement: str) -> Callable[[Made], object]:
    return lambda made: made.execute(statement)


def edit(asset: str, change: Callable[[Any], object]) -> Callable[[Made], object]:
    return lambda made: made.edit(asset, change)


def table(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Made], object]:
    return lambda made: made.edit_rows("dataset", "table.parquet", change)


def opened(*times: str) -> Callable[[Made], object]:
    """Record openings of the holdout at these times."""
    rows = ", ".join(f"({number}, timestamptz '{time}')" for number, time in enumerate(times, start=1))
    return sql(
        "INSERT INTO ml_holdout_openings (experiment_id, opening, training_run_id, model_key, opened_by, reason, "
        "opened_at, holdout_rows, metrics, intervals) SELECT experiment_id, opening, id, model_key, 'ada', 'curious', "
        f"moment, 9, '{{}}', '{{}}' FROM ml_training_runs, (VALUES {rows}) AS at (opening, moment) WHERE is_best_trial"
    )


def interval(low: float, high: float) -> Callable[[Made], object]:
    statement = f"jsonb_build_object('roc_auc', jsonb_build_object('low', {low}, 'high', {high}, 'n_resamples', 9))"
    return sql(f"UPDATE ml_training_runs SET test_intervals = {statement} WHERE is_best_trial")


def alter_model(made: Made) -> None:
    (archive,) = made.project.settings.state.glob("models/cells/*/data/model/model.skops")
    archive.write_bytes(archive.read_bytes()[:-1] + b"!")


def decide_at(threshold: float) -> Callable[[Made], object]:
    """Replace the stored model by one with another threshold, and otherwise the same."""

    def damage(made: Made) -> None:
        (manifest,) = made.project.settings.state.glob("models/cells/*/data/model/manifest.json")
        model = load_model(manifest.parent)
        model.threshold = threshold
        save_model(model, manifest.parent)

    return damage


def rename_to_target(made: Made) -> None:
    made.edit_rows("dataset", "table.parquet", lambda rows: rows.rename(columns={"mean area": " TARGET"}))
    made.edit("dataset", lambda data: data["features"].__setitem__(data["features"].index("mean area"), " TARGET"))


DATASET_NOT_EVALUATED = (
    *("rows_match_the_data_hash", "quality_gate_passes", "target_is_not_a_feature", "rows_match_the_schema_file"),
    *("no_feature_is_the_target_of_another_row", "excluded_columns_are_not_features", "no_entity_in_two_splits"),
    "every_row_has_a_target",
)
NOT_OF_THE_DATASET = ("rows_match_the_data_hash", "no_entity_in_two_splits")
MODEL_NOT_EVALUATED = (
    *("training_contract_is_valid", "training_run_row_is_complete", "links_resolve_to_study_and_trial"),
    *(
        "mlflow_has_the_run",
        "model_reloads_with_the_same_metrics",
        "success_criteria_are_met",
        "model_uses_its_features",
        "served_decisions_match_the_report",
    ),
    *("test_rows_are_enough", "metric_has_not_drifted", "test_set_was_accessed_once", "holdout_is_unopened"),
)
STUDY_NOT_EVALUATED = (
    *("study_matches_rows_and_experiment", "counts_add_up", "tables_match_the_study"),
    *(
        "best_value_is_reproducible_from_train_and_validation",
        "no_failure_ended_the_search",
        "parameters_equal_the_best_trial",
    ),
    "pattern_is_stored_once_and_retrievable",
)


@dataclass(frozen=True)
class Case:
    """A damaged value, the checks that fail for it, the message of the first, and the checks not evaluated."""

    damage: Callable[[Made], object]
    failed: tuple[str, ...]
    words: str
    not_evaluated: tuple[str, ...] = ()


CASES = {
    "infinity in a feature": Case(
        table(lambda rows: rows.assign(**{"mean area": float("inf")})),
        ("schema_is_valid", *NOT_OF_THE_DATASET),
        "mean area breaks finite with inf",
    ),
    "a feature without a column in the table": Case(
        edit("dataset", lambda data: data["features"].append("shoe size")),
        ("schema_is_valid",),
        "the stored dataset of cells cannot be read, materialise it again: its table has no column shoe size",
        DATASET_NOT_EVALUATED,
    ),
    "two rows swapped": Case(
        table(lambda rows: pd.concat([rows[1:2], rows[:1], rows[2:]], ignore_index=True)),
        ("rows_match_the_data_hash",),
        "the rows have the hash",
    ),
    "rows without a target": Case(
        lambda made: made.edit("dataset", lambda data: data.__setitem__("rows_without_target", 31)),
        ("every_row_has_a_target",),
        "31 of 600 rows have no target and are left out",
    ),
    "most cells empty": Case(
        table(lambda rows: rows.assign(**{name: float("nan") for name in rows.columns[:25]})),
        ("quality_gate_passes", *NOT_OF_THE_DATASET),
        "blocked: the status of the quality report is failed; the overall score is 0.7984; issues: completeness 0.1935",
    ),
    "the target under another spelling": Case(
        rename_to_target,
        ("target_is_not_a_feature", "rows_match_the_data_hash"),
        "is the target 'target' among the features",
        ("no_entity_in_two_splits",),
    ),
    "a feature equal to the target": Case(
        table(lambda rows: rows.assign(**{"mean area": rows["target"].astype(float)})),
        ("target_is_not_a_feature", *NOT_OF_THE_DATASET),
        "mean area equals the target target in all 569 rows, for example 0, 0, 0",
    ),
    "the column that the target is binned from": Case(
        spec("{target}", '{"column": "mean area", "name": "target", "bins": [500], "labels": ["0", "1"]}'),
        ("target_is_not_a_feature",),
        "mean area",
    ),
    "a dropped column as feature": Case(
        spec("{columns, drop}", '["mean texture"]'),
        ("excluded_columns_are_not_features",),
        "mean texture is a feature and should not be: dropped by the experiment",
    ),
    "fewer rows in the registry": Case(
        sql("UPDATE ml_split_registry SET test_rows = test_rows - 1"),
        ("shares_are_within_two_points",),
        "test has 86 stored rows, and 85 in ml_split_registry",
    ),
    "another split of an entity": Case(
        sql(
            "UPDATE ml_split_assignments SET role = CASE role WHEN 'test' THEN 'train' ELSE 'test' END "
            "WHERE entity_key = 'p7'"
        ),
        ("no_entity_in_two_splits",),
        "1 values of patient are in another split than assigned, for example p7 in",
    ),
    "an entity in two splits": Case(
        swap("test", "holdout"),
        ("no_entity_in_two_splits", "model_reloads_with_the_same_metrics"),
        "values of patient are in two splits, for example p",
    ),
    "a value outside the search space": Case(
        edit("warm_start", lambda start: start["configurations"][0]["values"].update(max_depth=12)),
        ("values_are_in_the_search_space",),
        "configuration 0: max_depth: 12 must lie in [2, 3]",
    ),
    "a pattern that is not there": Case(
        edit("warm_start", lambda start: start["configurations"][0].update(pattern_id=str(uuid4()))),
        ("patterns_are_in_the_memory",),
        "is no longer in the memory",
    ),
    "another study key": Case(
        spec("{early_stopping, patience}", "11"),
        ("study_matches_rows_and_experiment",),
        "materialise hpo_study again",
    ),
    "fewer completed trials in the table": Case(
        sql("UPDATE ml_hpo_studies SET n_completed = 3"),
        ("counts_add_up",),
        "COMPLETE: 4 in the result, 3 in ml_hpo_studies, 4 in ml_hpo_trials",
    ),
    "another best value in the table": Case(
        sql("UPDATE ml_hpo_studies SET best_value = 0.99999"),
        ("tables_match_the_study", "links_resolve_to_study_and_trial"),
        "and 0.99999 in ml_hpo_studies",
    ),
    "another Pareto front in the table": Case(
        sql("UPDATE ml_hpo_trials SET is_pareto = NOT is_pareto WHERE state = 'COMPLETE'"),
        ("tables_match_the_study",),
        "the Pareto front is [",
    ),
    "other values of the objectives in the table": Case(
        sql("""UPDATE ml_hpo_trials SET objective_values = '{"roc_auc": 0.5}' WHERE trial_number = 0"""),
        ("tables_match_the_study",),
        "trial 0 differs from its row in ml_hpo_trials",
    ),
    "a constraint that the study did not measure": Case(
        spec("{hpo, constraints}", '{"model_size": {"limit": 10}}'),
        ("constraints_are_satisfied", "study_matches_rows_and_experiment"),
        "model_size at most 10 is required, and the study did not measure it: materialise hpo_study again",
    ),
    "a better best value in the result": Case(
        edit("hpo_study", trial(0, value=0.99999)),
        (
            "best_value_is_reproducible_from_train_and_validation",
            "tables_match_the_study",
            "parameters_equal_the_best_trial",
        ),
        "trial 0 has 0.99999, and when fitted again on train and evaluated on validation it has 0.9",
    ),
    "NaN as best value": Case(
        edit("hpo_study", trial(0, value=float("nan"))),
        ("best_value_is_finite",),
        "the stored hpo_study of cells cannot be read, materialise it again",
        STUDY_NOT_EVALUATED,
    ),
    "infinity as text": Case(
        edit("hpo_study", trial(0, value="Infinity")),
        ("best_value_is_finite",),
        "finite number",
        STUDY_NOT_EVALUATED,
    ),
    "an infinite best value in the contract": Case(
        edit("best_hyperparameters", lambda output: output.update(hpo_best_value=float("inf"))),
        ("output_contract_is_valid",),
        "hpo_best_value: inf must be a finite number",
        ("constraints_are_satisfied", "parameters_equal_the_best_trial", *MODEL_NOT_EVALUATED),
    ),
    "a value off the grid": Case(
        edit("best_hyperparameters", lambda output: output["best_hyperparameters"].update(max_depth=7)),
        ("output_contract_is_valid", "parameters_equal_the_best_trial", "training_contract_is_valid"),
        "best_hyperparameters.max_depth: 7 must lie in [2, 3]",
    ),
    "another legal value": Case(
        edit("best_hyperparameters", lambda output: output["best_hyperparameters"].update(subsample=0.75)),
        ("parameters_equal_the_best_trial", "training_contract_is_valid"),
        "best_hyperparameters is",
    ),
    "an inconsistent output": Case(
        edit("trained_model", lambda output: output.update(success_criteria_met=False)),
        ("training_contract_is_valid",),
        "success_criteria_met: False must be true if every criterion is met, else false",
        tuple(name for name in MODEL_NOT_EVALUATED if name != "training_contract_is_valid"),
    ),
    "a row that is still running": Case(
        sql("UPDATE ml_training_runs SET status = 'running', completed_at = NULL, training_samples = 1"),
        ("training_run_row_is_complete", "links_resolve_to_study_and_trial"),
        "status is running, and should be finished; training_samples is 1, and should be 453",
    ),
    "no study in the row": Case(
        sql(
            "UPDATE ml_training_runs SET study_id = NULL, optuna_study_name = NULL, optuna_trial_number = NULL, "
            "is_best_trial = false"
        ),
        ("links_resolve_to_study_and_trial",),
        "study_name is None, and should be e2i_cells_XGBoost_hpo_",
    ),
    "another trial in the row": Case(
        sql("UPDATE ml_training_runs SET optuna_trial_number = (optuna_trial_number + 1) & 3"),
        ("links_resolve_to_study_and_trial",),
        "optuna_trial_number is",
    ),
    "another parameter in MLflow": Case(
        sql("UPDATE mlflow.params SET value = '99' WHERE key = 'hp_max_depth'"),
        ("links_resolve_to_study_and_trial",),
        "hp_max_depth is 3 in the row, and 99 in MLflow",
    ),
    "a run that MLflow does not have": Case(
        sql("UPDATE ml_training_runs SET mlflow_run_id = 'gone' || id"),
        ("mlflow_has_the_run",),
        "MlflowException: Run with id=gone",
    ),
    "another metric in the row": Case(
        sql("UPDATE ml_training_runs SET test_metrics = jsonb_set(test_metrics, '{roc_auc}', '0.5')"),
        ("model_reloads_with_the_same_metrics",),
        "roc_auc on test is 0.5 in ml_training_runs, and 0.9",
    ),
    "a model that decides at another threshold": Case(
        decide_at(0.999),
        ("served_decisions_match_the_report",),
        "test rows of 1 are predicted as 0; the report has ",
    ),
    "another confusion matrix in the report": Case(
        sql("UPDATE ml_training_runs SET test_confusion = jsonb_set(test_confusion, '{counts, 0, 1}', '77')"),
        ("served_decisions_match_the_report",),
        "test rows of 0 are predicted as 1; the report has 77",
    ),
    "a row that says less than the model has learnt from": Case(
        sql("UPDATE ml_training_runs SET final_model = 'train_only'"),
        ("training_run_row_is_complete",),
        "final_model is train_only, and should be refit",
    ),
    "a model with another last byte": Case(
        alter_model,
        ("model_reloads_with_the_same_metrics",),
        "the stored model cannot predict the test rows",
        ("model_uses_its_features", "served_decisions_match_the_report"),
    ),
    "no model at all": Case(
        lambda made: shutil.rmtree(made.project.settings.state / "models"),
        ("model_reloads_with_the_same_metrics",),
        "no model can be read from",
        ("model_uses_its_features", "served_decisions_match_the_report"),
    ),
    "another version in the registry": Case(
        sql("UPDATE ml_model_registry SET hyperparameters = '{}'"),
        ("training_run_row_is_complete",),
        "hyperparameters is {} in ml_model_registry, and should be {",
    ),
    "no version in the registry": Case(
        sql("UPDATE ml_training_runs SET model_registry_id = NULL"),
        ("training_run_row_is_complete",),
        "it names no version in ml_model_registry",
    ),
    "a second access to the test rows": Case(
        sql(
            "INSERT INTO ml_test_looks (model_key, look, training_run_id, looked_by, reason) "
            "SELECT model_key, 2, training_run_id, 'ada', 'another threshold' FROM ml_test_looks"
        ),
        ("test_set_was_accessed_once",),
        "look 2 by ada at ",
    ),
    "a holdout that was opened before the training": Case(
        opened("2020-01-01"),
        ("holdout_is_unopened",),
        "ada opened it at 2020-01-01 00:00, before this model was trained: curious",
    ),
    "a holdout that was opened twice": Case(
        opened("2999-01-01", "2999-01-02"),
        ("holdout_is_unopened",),
        "ada opened it once more at 2999-01-02 00:00: curious",
    ),
    "a wide interval": Case(
        interval(0.71, 0.98),
        ("test_rows_are_enough",),
        "test rows (95 %: 0.71 to 0.98): too few to distinguish models that differ by less than 0.27",
    ),
    "a criterion within the confidence interval": Case(
        interval(0.59, 0.65),
        ("test_rows_are_enough",),
        "but not at the worse end of its 95 % interval, 0.59",
    ),
    "a better earlier model": Case(
        sql(
            "INSERT INTO ml_training_runs (spec_hash, experiment_id, run_name, algorithm, data_hash, training_samples, "
            "feature_names, test_metrics, status, started_at, completed_at) SELECT 'earlier', experiment_id, 'spring', "
            "algorithm, data_hash, 9, feature_names, '{\"roc_auc\": 1.5}', 'finished', '2020-01-01', '2020-01-01' "
            "FROM ml_training_runs WHERE is_best_trial"
        ),
        ("metric_has_not_drifted",),
        "and was 1.5 with spring: a larger loss than chance explains",
    ),
    "another champion in the registry": Case(
        sql("UPDATE ml_model_registry SET is_champion = false"),
        ("champion_model_loads",),
        "ml_model_registry names None, and the last decision",
    ),
    "a challenger that was worse": Case(
        sql(
            "INSERT INTO ml_champion_decisions (experiment_id, challenger_key, champion_key, metric, test_rows, "
            "promoted, reason, model_folder) SELECT experiment_id, challenger_key, challenger_key, metric, test_rows, "
            "false, 'it is worse', model_folder FROM ml_champion_decisions"
        ),
        ("challenger_is_not_worse",),
        "the old model stays in use: it is worse",
    ),
    "recent rows that drift": Case(
        sql(
            "INSERT INTO ml_drift_reports (experiment_id, fingerprint, rows_seen, labelled_rows, drifted, reason) "
            "SELECT id, 'x', 99, 0, true, 'age has drifted' FROM ml_experiments"
        ),
        ("newer_rows_have_not_drifted",),
        "age has drifted",
    ),
    "a forgotten pattern": Case(
        sql("DELETE FROM procedural_memories"),
        ("pattern_is_stored_once_and_retrievable",),
        "is not in the memory: materialise hpo_pattern_memory again",
        ("values_are_finite",),
    ),
    "a pattern of unknown size": Case(
        sql("UPDATE ml_hpo_patterns SET n_samples = NULL"),
        ("pattern_is_stored_once_and_retrievable",),
        "is not found by a query with its own problem",
    ),
    "NaN as text in a pattern": Case(
        sql("UPDATE ml_hpo_patterns SET feature_types = jsonb_set(feature_types, '{numeric}', '\"NaN\"')"),
        ("values_are_finite",),
        "feature_types.numeric is 'NaN', not a finite number",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_only_the_checks_of_the_damaged_value_fail(made: Made, case: Case) -> None:
    case.damage(made)
    found = made.results()
    assert {name for name, one in found.items() if one.outcome == "failed"} == set(case.failed)
    assert {name for name, one in found.items() if one.outcome == "not evaluated"} == set(case.not_evaluated)
    assert case.words in found[case.failed[0]].why


def test_a_pruned_pattern_fails_no_check(made: Made) -> None:
    before = made.not_passed()
    made.execute("UPDATE ml_hpo_patterns SET created_at = now() - interval '1 year', times_used_as_warmstart = 0")
    assert len(made.project.pattern_maintenance.forget(dry_run=False)) == 1
    assert made.not_passed() == before
    assert (
        "was removed from the memory: older than 90 days"
        in made.results()["pattern_is_stored_once_and_retrievable"].why
    )


def test_checks_of_an_experiment_without_a_search_say_that_it_has_none(made: Made) -> None:
    assert made.not_passed("sugar") == {"success_criteria_are_met": "failed", "test_rows_are_enough": "failed"}
    found = made.results("sugar")
    assert "too few to distinguish models" in found["test_rows_are_enough"].why
    assert found["success_criteria_are_met"].why.startswith("rmse 5")
    assert found["success_criteria_are_met"].why.endswith(", required at most 1: missed")
    assert found["counts_add_up"].why == "the experiment does not search: it trains the defaults"
    assert found["classes_are_stratified"].why == "a regression has no classes"


def test_the_checks_of_a_very_large_target_pass(made: Made) -> None:
    """The row returns a squared error of 1e24 as it was computed, not as an integer that is near it."""
    root = made.project.settings.root
    large = load_diabetes(as_frame=True).frame
    large["target"] *= 1e11
    large.to_csv(root / "large.csv", index=False)
    make(made.project, LARGE)
    assert made.not_passed("large").keys() <= {"test_rows_are_enough"}
    run = model_links.training_run(made.project, "large")
    assert run.validation_metrics["mse"] > 1e24
    promoted = made.project.read(ChampionModel, "champion_model", "large").promoted
    assert (type(run.validation_metrics["mse"]), promoted) == (float, True)


def test_a_refused_first_model_does_not_claim_an_old_one(made: Made) -> None:
    made.execute("UPDATE ml_champion_decisions SET promoted = false, reason = 'it failed checks: no row'")
    why = made.results()["challenger_is_not_worse"].why
    assert why == "no model is in use yet, and this one is not promoted: it failed checks: no row"


def test_a_complete_study_reports_it_and_runs_no_trial(made: Made) -> None:
    experiment = made.project.experiment("cells")
    rows = made.project.read(SearchRows, "validation_splits", "cells")
    start = made.project.read(remember.WarmStart, "warm_start", "cells")
    messages: list[str] = []
    again = tune.tuned(made.project, experiment, rows, start, messages.append)
    assert again.result is not None
    trials = again.result.n_trials
    assert messages == [f"{trials} of {trials} trials are from an earlier run; budget spent"]


def test_rows_out_of_time_order_fail_the_check(made: Made) -> None:
    swap("train", "holdout", "sugar")(made)
    found = made.results("sugar")
    assert {name for name, one in found.items() if not one.passed} == {
        *("no_entity_in_two_splits", "time_is_in_order", "success_criteria_are_met", "test_rows_are_enough")
    }
    assert found["time_is_in_order"].why.startswith("train lasts until 2025-02-")


def test_a_row_copied_into_a_second_split_fails_the_check(made: Made) -> None:
    """The check names the entity and both splits."""
    row = pd.read_parquet(made.file("validation_splits", "test.parquet"))[:1]
    made.edit_rows("validation_splits", "holdout.parquet", lambda rows: pd.concat([rows, row]))
    found = made.results()
    assert {name for name, one in found.items() if not one.passed} == {
        *("shares_are_within_two_points", "no_entity_in_two_splits")
    }
    assert "in holdout and test" in found["no_entity_in_two_splits"].why


def test_the_best_value_is_reproduced_without_reading_the_test_rows(made: Made) -> None:
    for name in ("test", "holdout"):
        made.file("validation_splits", f"{name}.parquet").unlink()
    found = made.results()["best_value_is_reproducible_from_train_and_validation"]
    assert found.passed
    assert found.facts["evaluated again"] == found.facts["in the study"]
    assert str(found.facts["in the study"]).startswith("roc_auc 0.9")


def test_checks_of_a_missing_value_are_not_evaluated(made: Made) -> None:
    shutil.rmtree(made.project.asset_folder("trained_model", "cells"))
    found = made.results()
    assert {name for name, one in found.items() if not one.passed} == set(MODEL_NOT_EVALUATED)
    assert {found[name].outcome for name in MODEL_NOT_EVALUATED} == {"not evaluated"}
    assert found["training_contract_is_valid"].why == "trained_model of cells does not exist yet: materialise it first"
    assert experiments_with(made.project, "trained_model") == ["sugar"]


def test_without_mlflow_only_the_checks_of_mlflow_fail(made: Made) -> None:
    unreachable = replace(made.project.settings, mlflow_tracking_uri="http://127.0.0.1:9")
    found = Made(replace(made.project, settings=unreachable)).results()
    mlflow_checks = {"mlflow_has_the_run", "mlflow_alias_points_to_the_champion"}
    assert {name for name, one in found.items() if not one.passed} == mlflow_checks
    assert "TrackingUnreachable: no MLflow server answers" in found["mlflow_has_the_run"].why
    assert "not followed into MLflow" in found["links_resolve_to_study_and_trial"].why


def test_every_check_says_what_to_do_in_one_place() -> None:
    assert set(ACTIONS) == {"experiment_files_are_valid", *(one.name for one in CHECKS)}
    assert len({one.name for one in CHECKS}) == len(CHECKS)
    for name in ACTIONS:
        text = action("trained_model", name, "churn")
        assert text.endswith(".")
        assert "{" not in text


def test_a_missed_criterion_shows_its_value_and_the_threshold(made: Made) -> None:
    spec("{success_criteria}", '{"roc_auc": 1.0, "minimum_lift_over_baseline": 0.1}')(made)
    made.edit(
        "trained_model",
        lambda one: one.update(
            success_criteria_results={"roc_auc": False, "minimum_lift_over_baseline": True}, success_criteria_met=False
        ),
    )
    found = made.results()["success_criteria_are_met"]
    auc = figure(model_links.training_run(made.project, "cells").test_metrics["roc_auc"])
    assert found.facts["roc_auc"] == f"{auc}, required at least 1: missed"
    assert re.fullmatch(r"[\d.]+ %, required at least 10 %: met", str(found.facts["minimum_lift_over_baseline"]))
    assert found.why == f"roc_auc {auc}, required at least 1: missed"


def test_every_asset_has_one_check_that_its_file_is_readable() -> None:
    assets = [one.asset for one in CHECKS if one.answers_for_the_file]
    assert sorted(assets) == sorted({one.asset for one in CHECKS})
    assert len({(one.asset, one.name) for one in CHECKS}) == len(CHECKS)


# No experiment of this file has `predictions`: their checks are tested in `defs/test_predictions.py`.
@pytest.mark.parametrize("asset", sorted({one.asset for one in CHECKS} - {"predictions"}))
def test_a_truncated_file_fails_only_the_check_that_it_is_readable(made: Made, asset: str) -> None:
    made.file(asset).write_text('{"hpo_compl')
    found = [(one, evaluated(one, made.project, "cells")) for one in CHECKS if one.asset == asset]
    assert {one.name: check_result.outcome for one, check_result in found} == {
        one.name: "failed" if one.answers_for_the_file else "not evaluated" for one, _ in found
    }
