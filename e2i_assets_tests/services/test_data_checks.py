"""The checks of rows and their splits: each damaged value fails only the checks of that value."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from readable_facts import unreadable

from e2i_assets.adapters.files import asset_values
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings
from e2i_assets.adapters.sources import datasets
from e2i_assets.cli.check import exit_status, found
from e2i_assets.core.data.dataset import dataset_of
from e2i_assets.core.data.split_tables import SplitFacts
from e2i_assets.core.errors import DataInvalid
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.services import data_gates
from e2i_assets.services import split as splitting
from e2i_assets.services.checks.catalogue import CHECKS
from e2i_assets.services.checks.check import CheckResult, evaluated
from e2i_assets.services.project import Project

ROWS = 2000
NAME = "visits"


def rows() -> pd.DataFrame:
    draws = np.random.default_rng(3)
    frame = pd.DataFrame({"person": [f"p{number // 4}" for number in range(ROWS)], "visit": range(ROWS)})
    frame["day"] = (pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(ROWS) // 2, unit="D")).strftime("%Y-%m-%d")
    frame["age"] = draws.integers(18, 90, ROWS)
    frame["income"] = draws.normal(40, 9, ROWS)
    frame["plan"] = draws.choice(["basic", "family", "premium"], ROWS)
    frame["outcome"] = np.where(frame["income"] + draws.normal(0, 9, ROWS) > 45, "yes", "no")
    return frame


@dataclass(frozen=True)
class CheckedProject:
    """A project with rows and a split, and operations that change its stored values."""

    project: Project

    def make(self, frame: pd.DataFrame, **changes: Any) -> Experiment:
        """Run the steps of the first two assets."""
        frame.to_csv(self.project.settings.root / "rows.csv", index=False)
        raw: dict[str, Any] = {
            "name": NAME,
            "owner": "team:tests",
            "source": {"csv": "rows.csv"},
            "target": "outcome",
            "problem_type": "binary_classification",
            "algorithm": "LightGBM",
            "columns": {"group": "person", "id": ["visit"], "drop": ["day"]},
        }
        experiment = experiment_from(raw | changes, NAME)
        self.project.experiments.register_experiment(experiment)
        loaded = datasets.load(experiment.source, self.project.settings.root, os.environ)
        data = dataset_of(loaded, experiment)
        data_gates.write_schema(self.project.settings, experiment, data)
        asset_values.write(data, self.project.asset_folder("dataset", NAME))
        split = splitting.split(self.project, experiment, data)
        asset_values.write(split, self.project.asset_folder("validation_splits", NAME))
        return experiment

    def results(self) -> dict[str, CheckResult]:
        own = [one for one in CHECKS if one.asset in ("dataset", "validation_splits")]
        found = {one.name: evaluated(one, self.project, NAME) for one in own}
        assert unreadable(found) == []
        return found

    def failed(self) -> dict[str, str]:
        return {name: one.why for name, one in self.results().items() if one.outcome == "failed"}

    def edit_rows(self, asset: str, names: tuple[str, ...], change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        for name in names:
            file = self.project.asset_folder(asset, NAME) / f"{name}.parquet"
            change(pd.read_parquet(file)).to_parquet(file, index=False)

    @property
    def schema(self) -> Path:
        return data_gates.schema_file(self.project.settings, NAME)

    def splits(self) -> dict[str, str]:
        tables = {split_name: self._table(split_name) for split_name in ("train", "validation", "test", "holdout")}
        return {str(visit): split_name for split_name, table in tables.items() for visit in table["income"]}

    def _table(self, split_name: str) -> pd.DataFrame:
        return pd.read_parquet(self.project.asset_folder("validation_splits", NAME) / f"{split_name}.parquet")


@pytest.fixture
def project(tables: Database, tmp_path: Path) -> CheckedProject:
    return CheckedProject(Project(Settings(root=tmp_path, state=tmp_path / "state"), tables))


def test_all_checks_of_valid_rows_pass_and_the_leakage_audit_is_recorded(project: CheckedProject) -> None:
    project.make(rows())
    results = project.results()
    assert {name: one.why for name, one in results.items() if not one.passed} == {}
    assert results["rows_match_the_schema_file"].why == "all 2000 rows match experiments/schemas/visits.yaml"
    facts = project.project.read(SplitFacts, "validation_splits", NAME)
    experiment_id = project.project.experiments.id_of(NAME)
    lines = project.project.leakage_audit.of_split(experiment_id, facts.split_hash)
    assert [(one.check_type, one.severity) for one in lines] == [
        (check, "info")
        for check in ("copied_rows", "entity_in_two_roles", "one_feature_model", "shifted_target",
                      "target_among_features", "time_backwards")
    ]  # fmt: skip


def lag(frame: pd.DataFrame) -> pd.DataFrame:
    frame["age"] = frame.sort_values("visit").groupby("person")["outcome"].shift(1).map({"no": 3, "yes": 8})
    return frame.assign(age=frame["age"].fillna(3))


def reveal_target(frame: pd.DataFrame) -> pd.DataFrame:
    right = np.random.default_rng(1).random(len(frame)) > 0.002
    return frame.assign(age=np.where((frame["outcome"] == "yes") == right, 70, 20))


DAMAGED_SPLITS = {
    "a feature reveals the target": (
        ("train", "validation"),
        reveal_target,
        "no_feature_reveals_the_target",
        "columns: 'age' reveals the target: alone it reaches ROC AUC ",
    ),
    "rows of train also in validation": (
        ("validation",),
        None,
        "no_duplicate_rows_across_splits",
        "400 of 400 rows of validation (100.0%) are also in train, for example rows 0, 1, 2; chance explains 0",
    ),
}


@pytest.mark.parametrize("case", DAMAGED_SPLITS.values(), ids=DAMAGED_SPLITS.keys())
def test_a_damaged_split_fails_a_blocking_check(project: CheckedProject, case: Any) -> None:
    """It stops the graph and names the number of rows and examples, and `e2i check` ends with 1."""
    project.make(rows())
    splits, change, check_spec, words = case
    train = pd.read_parquet(project.project.asset_folder("validation_splits", NAME) / "train.parquet")
    project.edit_rows("validation_splits", splits, change or (lambda table: train[: len(table)]))
    failed = project.failed()
    assert words in failed[check_spec]
    assert {one.name for one in CHECKS if one.name in failed and one.blocking} == {
        check_spec,
        "no_entity_in_two_splits",
    }
    assert exit_status(found(project.project, [NAME])) == 1


def test_a_feature_equal_to_the_previous_target_fails_the_check(project: CheckedProject) -> None:
    project.make(rows())
    project.edit_rows("dataset", ("table",), lag)
    words = "columns: 'age' matches the target 1 row before it, ordered by person (in 100.0% of 1500 rows"
    assert words in project.failed()["no_feature_is_the_target_of_another_row"]


def test_leakage_findings_are_recorded_and_accepted_columns_are_not_findings(project: CheckedProject) -> None:
    leaky = reveal_target(rows())
    project.make(leaky)
    failed = project.failed()
    assert set(failed) == {"no_feature_reveals_the_target", "leakage_audit_is_recorded"}
    assert "one_feature_model: columns: 'age' reveals the target" in failed["leakage_audit_is_recorded"]
    project.make(leaky, leakage={"accepted": {"age": "asked at the door"}})
    assert project.failed() == {}


def test_a_missing_row_of_the_leakage_audit_fails_the_check(project: CheckedProject) -> None:
    project.make(rows())
    with project.project.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM ml_leakage_audit WHERE check_type = 'copied_rows'")
    assert project.failed() == {"leakage_audit_is_recorded": "copied_rows is not in ml_leakage_audit"}


def test_a_refused_split_is_recorded_in_the_leakage_audit(project: CheckedProject) -> None:
    """The column of the split puts one person into two splits."""
    frame = rows()
    frame["fold"] = np.random.default_rng(0).choice(
        ["train", "validation", "test", "holdout"], ROWS, p=(0.6, 0.2, 0.15, 0.05)
    )
    with pytest.raises(DataInvalid, match="entities are in both train and validation, for example p"):
        project.make(frame, split={"column": "fold"})
    with project.project.database.connect() as connection:
        statement = "SELECT affected_records, details FROM ml_leakage_audit WHERE severity = 'critical'"
        ((affected, details),) = connection.exec_driver_sql(statement).all()
    assert affected > 100
    assert "entities are in both train and validation, for example p" in details


def test_the_schema_file_is_inferred_once_and_then_kept(project: CheckedProject) -> None:
    project.make(rows())
    text = project.schema.read_text()
    assert "# The schema of the rows of visits." in text
    assert "  plan:\n    dtype: category\n    isin:\n    - basic\n    - family\n    - premium\n" in text
    project.schema.write_text(
        text.replace("    - premium\n", "").replace("less_than_or_equal_to: 160", "less_than: 60")
    )
    edited = project.schema.read_text()
    assert edited.count("less_than: 60") == 1
    failed = project.failed()
    assert set(failed) == {"rows_match_the_schema_file"}
    assert "age breaks less_than(60.0) in " in failed["rows_match_the_schema_file"]
    assert "plan breaks isin(['basic', 'family']) in " in failed["rows_match_the_schema_file"]
    assert "(visit " in failed["rows_match_the_schema_file"]
    assert " has premium" in failed["rows_match_the_schema_file"]
    project.make(rows())
    assert project.schema.read_text() == edited


DAMAGED_ROWS: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "a missing cell": (
        lambda frame: frame.assign(age=frame["age"].where(frame["visit"] != 7)),
        "age breaks not_nullable in 1 rows: row 7 (visit 7) has nan",
    ),
    "another unit": (
        lambda frame: frame.assign(income=frame["income"] * 1000),
        "income breaks less_than_or_equal_to(",
    ),
    "a new category": (
        lambda frame: frame.assign(plan=frame["plan"].replace("family", "Family")),
        "plan breaks isin(['basic', 'family', 'premium']) in ",
    ),
    "a new column": (
        lambda frame: frame.assign(extra=frame["age"] % 7),
        "extra: not in the schema file; add it there, or drop it under columns.drop",
    ),
    "a column that is gone": (
        lambda frame: frame.drop(columns="age"),
        "age is required, but is left out: the source does not have it",
    ),
    "a column that says nothing any more": (
        lambda frame: frame.assign(age=1),
        "age is required, but is left out: one value only",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "words"), DAMAGED_ROWS.values(), ids=DAMAGED_ROWS.keys())
def test_later_rows_are_checked_against_the_schema_file(
    project: CheckedProject, change: Callable[[pd.DataFrame], pd.DataFrame], words: str
) -> None:
    project.make(rows())
    project.make(change(rows()))
    failed = project.failed()
    assert words in failed["rows_match_the_schema_file"]
    assert exit_status(found(project.project, [NAME])) == 1


CORRECTIONS = {
    "a code for a missing value": {"missing": {"age": [999]}},
    "a group": {"group": "person", "categorical": []},
}


@pytest.mark.parametrize("columns", CORRECTIONS.values(), ids=CORRECTIONS.keys())
def test_a_corrected_experiment_has_its_schema_inferred_again_unless_it_is_edited(
    project: CheckedProject, columns: dict[str, Any]
) -> None:
    frame = rows()
    frame.loc[frame["visit"] % 30 == 0, "age"] = 999
    old = {"id": ["visit"], "drop": ["day"], "categorical": ["person"]}
    project.make(frame, columns=old)
    first = project.schema.read_text()
    project.make(frame, columns=old)
    assert project.schema.read_text() == first
    project.make(frame, columns=old | columns)
    assert project.failed() == {}
    assert project.schema.read_text() != first
    edited = first.replace("strict: true", "strict: true  # mine")
    project.schema.write_text(edited)
    project.make(frame, columns=old | columns)
    why = project.failed()["rows_match_the_schema_file"]
    assert "experiments/schemas/visits.yaml" in why
    assert "`e2i experiment schema visits --force`" in why
    assert project.schema.read_text() == edited


def test_a_column_that_the_experiment_drops_may_be_missing(project: CheckedProject) -> None:
    project.make(rows())
    project.make(rows(), columns={"group": "person", "id": ["visit"], "drop": ["day", "age"]})
    assert project.failed() == {}


@pytest.mark.parametrize("text", ["columns: [", "columns: {age: {dtype: nonsense}}", "hello", "{}"])
def test_an_invalid_schema_file_fails_the_check(project: CheckedProject, text: str) -> None:
    project.make(rows())
    project.schema.write_text(text)
    assert project.failed()["rows_match_the_schema_file"].startswith("experiments/schemas/visits.yaml ")


SCORES = dict.fromkeys(("completeness", "validity", "consistency", "uniqueness", "timeliness"), 0.9)
GOOD = {
    "report_id": "ge-17",
    "experiment_id": NAME,
    "status": "passed",
    "overall_score": 0.9,
    "expectation_results": [{"expectation_type": "expect_column", "success": True}],
    **{f"{name}_score": score for name, score in SCORES.items()},
}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, "passed with an overall score of 0.9000"),
        ({"status": "failed"}, "blocked: the status of the quality report is failed"),
        ({"blocking_issues": ["no key"]}, "blocked by no key"),
        ({"overall_score": 0.79}, "blocked: the overall score 0.7900 is below 0.80"),
        ({"validity_score": 0.1, "completeness_score": 0.1}, "blocked: the five scores of the report give 0.5000"),
        ({"row_count": 900}, "blocked: the quality report counts 900 rows, but the table has 2000"),
        ({"overal_score": 1}, "blocked: overal_score: 1 is wrong: Extra inputs are not permitted"),
        (None, "blocked: quality_report: 'qc.json' is not a file in "),
    ],
)
def test_a_quality_report_of_the_user_replaces_the_computed_one(
    project: CheckedProject, change: dict[str, Any] | None, why: str
) -> None:
    """The report of the user decides the status, the blocking issues and the score, and its counts are used."""
    if change is not None:
        (project.project.settings.root / "qc.json").write_text(json.dumps(GOOD | change))
    project.make(rows(), quality_report="qc.json")
    check_result = project.results()["quality_gate_passes"]
    assert check_result.why.startswith(why)
    assert check_result.passed == (change == {})


def test_stored_assignments_keep_rows_in_their_splits(project: CheckedProject) -> None:
    """Rows stay in their splits when they are removed, come back, are corrected, or when other persons are added."""
    frame = rows()
    frame["income"] = np.arange(ROWS) + 0.5  # unique, to identify each row
    project.make(frame)
    first = project.splits()
    project.make(frame[: ROWS // 2])
    corrected = frame.assign(outcome=frame["outcome"].map({"yes": "no", "no": "yes"}))
    more = corrected.assign(person="q" + frame["person"], visit=frame["visit"] + ROWS, income=frame["income"] + ROWS)
    project.make(pd.concat([corrected, more], ignore_index=True))
    later = project.splits()
    assert {visit: later[visit] for visit in first} == first


def test_time_boundaries_stay_when_later_rows_arrive(project: CheckedProject) -> None:
    frame = rows()
    frame["income"] = np.arange(ROWS) + 0.5
    changes: dict[str, Any] = {"columns": {"time": "day", "drop": ["person", "visit"]}, "split": {"gap": 7}}
    project.make(frame[:1500], **changes)
    first = project.splits()
    facts: SplitFacts = project.project.read(SplitFacts, "validation_splits", NAME)
    assert facts.why_left_out == {"in the gap between two splits": 42}
    project.make(frame, **changes)
    assert project.splits() == first
    facts = project.project.read(SplitFacts, "validation_splits", NAME)
    assert facts.why_left_out == {"in the gap between two splits": 42, "after the end of the split": 500}
    assert project.results()["few_rows_are_unassigned"].why.startswith("542 of 2000 rows are in no split: ")
    project.make(frame[::-1], **changes)
    assert project.splits() == first
    project.make(frame, **{**changes, "split": {"gap": 7, "seed": 43}})
    assert project.splits() != first
