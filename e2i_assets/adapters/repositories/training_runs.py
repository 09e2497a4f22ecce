"""Training runs and their lineage: the table `ml_training_runs` and the view `training_run_links`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict, Unpack

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.row_mapping import (
    bound,
    columns,
    every,
    one,
    parameters,
    placeholders,
    replacements,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRunRow:
    """A training run at its start; `spec_hash` identifies it, and the id and name of a study are set together.

    `training_samples` is the number of rows that the final model learns from, and `final_model` which rows these are.
    """

    spec_hash: str
    experiment_id: str
    run_name: str
    algorithm: str
    hyperparameters: Mapping[str, Any]
    data_hash: str
    training_samples: int
    feature_names: Sequence[str]
    started_at: datetime
    split_id: str | None = None
    validation_samples: int | None = None
    test_samples: int | None = None
    study_id: str | None = None
    optuna_study_name: str | None = None
    optuna_trial_number: int | None = None
    is_best_trial: bool = False
    dagster_run_id: str | None = None
    compute_type: str | None = None
    gpu_used: bool = False
    final_model: str = "train_only"


class TrainingOutcome(TypedDict):
    """The result of a training; `hyperparameters` are the final ones of the fitted model.

    `model_key` identifies the model, `test_intervals` are 95 % intervals by metric, `baseline_test_metrics` are the
    metrics of a dummy model, `test_confusion` has the labels and the counts of the confusion matrix on test, and
    `expected_costs` the costs of errors that the experiment names, with what they make of the decisions on test.
    """

    hyperparameters: Mapping[str, Any]
    mlflow_run_id: str | None
    model_uri: str
    train_metrics: Mapping[str, Any]
    validation_metrics: Mapping[str, Any]
    test_metrics: Mapping[str, Any]
    default_test_metrics: Mapping[str, Any] | None
    decision_threshold: float | None
    success_criteria_met: bool | None
    success_criteria_results: Mapping[str, bool] | None
    duration_seconds: float
    model_key: str
    test_intervals: Mapping[str, Any]
    baseline_test_metrics: Mapping[str, Any] | None
    test_confusion: Mapping[str, Any] | None
    expected_costs: Mapping[str, Any] | None


# Writes more rows in the transaction that finishes a training run; its arguments are the connection and the run id.
RowWriter = Callable[[sa.Connection, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun(TrainingRunRow):
    """A stored training run."""

    id: str
    status: str
    error_message: str | None
    completed_at: datetime | None
    mlflow_run_id: str | None
    model_uri: str | None
    train_metrics: Mapping[str, Any]
    validation_metrics: Mapping[str, Any]
    test_metrics: Mapping[str, Any]
    default_test_metrics: Mapping[str, Any] | None
    decision_threshold: float | None
    success_criteria_met: bool | None
    success_criteria_results: Mapping[str, bool] | None
    duration_seconds: float | None
    pattern_id: str | None
    model_registry_id: str | None
    model_key: str | None
    test_intervals: Mapping[str, Any]
    baseline_test_metrics: Mapping[str, Any] | None
    test_confusion: Mapping[str, Any] | None
    expected_costs: Mapping[str, Any] | None

    @property
    def fitted_model_key(self) -> str:
        """The key of the model of this finished run."""
        assert self.model_key is not None, f"training run {self.id} is {self.status} and has no model"
        return self.model_key


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRunLink:
    """A model and its lineage; no field is None when the lineage is complete."""

    experiment_name: str
    training_run_id: str
    spec_hash: str
    status: str
    algorithm: str
    study_id: str | None
    study_name: str | None
    best_trial_number: int | None
    best_value: float | None
    trial_params: Mapping[str, Any] | None
    hyperparameters: Mapping[str, Any]
    pattern_id: str | None
    split_id: str | None
    data_hash: str
    mlflow_run_id: str | None
    dagster_run_id: str | None
    model_uri: str | None
    test_metrics: Mapping[str, Any]


_START = sa.text(f"""
    INSERT INTO ml_training_runs ({columns(TrainingRunRow)}) VALUES ({placeholders(TrainingRunRow)})
    ON CONFLICT (spec_hash) DO UPDATE SET {replacements(TrainingRunRow, "spec_hash")},
        status = 'running', completed_at = NULL, error_message = NULL
    RETURNING id::text
""")
_FINISH = sa.text(f"""
    UPDATE ml_training_runs SET {", ".join(f"{name} = :{name}" for name in TrainingOutcome.__annotations__)},
        status = 'finished', error_message = NULL, completed_at = greatest(clock_timestamp(), started_at)
    WHERE id = :id RETURNING id
""")
_FAIL = sa.text("""
    UPDATE ml_training_runs SET
        status = 'failed', error_message = :error_message, completed_at = greatest(clock_timestamp(), started_at)
    WHERE id = :id RETURNING id
""")
# A pattern that was removed after it was stored is not linked, as if it had been removed a moment later.
_LINK_PATTERN = sa.text("""
    UPDATE ml_training_runs SET pattern_id = (
        SELECT CAST(:pattern_id AS uuid) WHERE NOT EXISTS (
            SELECT FROM ml_hpo_forgotten_patterns AS forgotten WHERE forgotten.pattern_id = CAST(:pattern_id AS uuid)
        ) OR EXISTS (SELECT FROM ml_hpo_patterns AS kept WHERE kept.pattern_id = CAST(:pattern_id AS uuid))
    ) WHERE spec_hash = :spec_hash RETURNING id
""")
_FOUND_IN_MLFLOW = sa.text(
    "UPDATE ml_training_runs SET mlflow_run_id = :mlflow_run_id, model_uri = :model_uri "
    "WHERE id = :id AND status = 'finished' RETURNING id"
)
_BY_SPEC_HASH = sa.text(f"SELECT {columns(StoredRun)} FROM ml_training_runs WHERE spec_hash = :spec_hash")
_BEFORE = sa.text(f"""
    SELECT {columns(StoredRun)} FROM ml_training_runs
    WHERE experiment_id = :experiment_id AND id <> :id AND status = 'finished' AND started_at < :started_at
    ORDER BY started_at DESC LIMIT 1
""")
_BY_MODEL_KEY = sa.text(f"""
    SELECT {columns(StoredRun)} FROM ml_training_runs
    WHERE experiment_id = :experiment_id AND model_key = :model_key AND status = 'finished'
    ORDER BY completed_at DESC LIMIT 1
""")
_LINKS = sa.text(f"""
    SELECT {columns(TrainingRunLink)} FROM training_run_links
    WHERE CAST(:experiment AS text) IS NULL OR experiment_name = :experiment
    ORDER BY experiment_name, training_run_id
""")


@dataclass(frozen=True, slots=True)
class TrainingRunRepository:
    """Reads and writes training runs."""

    database: Database

    def start(self, run: TrainingRunRow) -> str:
        """Insert a run, or set the one with this spec hash to running again, and return its id."""
        with self.database.begin() as connection:
            return str(connection.execute(_START, parameters(run)).scalar_one())

    def finish(self, run_id: str, *writers: RowWriter, **outcome: Unpack[TrainingOutcome]) -> None:
        """Record the result of a run and further rows that belong to it, in one transaction.

        Args:
            run_id: The id of the run.
            writers: Functions that write more rows in the same transaction, while the row of the run is locked.
            outcome: The result.
        """
        with self.database.begin() as connection:
            connection.execute(_FINISH, {**bound(outcome), "id": run_id}).one()
            for write in writers:
                write(connection, run_id)

    def fail(self, run_id: str, error_message: str) -> None:
        """Record that a run failed, and why."""
        with self.database.begin() as connection:
            connection.execute(_FAIL, {"id": run_id, "error_message": error_message}).one()

    def link_pattern(self, spec_hash: str, pattern_id: str) -> None:
        """Link the run to the pattern that the memory made of its study."""
        with self.database.begin() as connection:
            connection.execute(_LINK_PATTERN, {"spec_hash": spec_hash, "pattern_id": pattern_id}).one()

    def found_in_mlflow(self, run_id: str, mlflow_run_id: str, model_uri: str, *writers: RowWriter) -> None:
        """Record the MLflow run of a finished run that was logged later, in one transaction like `finish`."""
        values = {"id": run_id, "mlflow_run_id": mlflow_run_id, "model_uri": model_uri}
        with self.database.begin() as connection:
            connection.execute(_FOUND_IN_MLFLOW, values).one()
            for write in writers:
                write(connection, run_id)

    def by_spec_hash(self, spec_hash: str) -> StoredRun | None:
        """Return the run with a spec hash, or None."""
        with self.database.connect() as connection:
            return one(StoredRun, connection.execute(_BY_SPEC_HASH, {"spec_hash": spec_hash}))

    def by_model_key(self, experiment_id: str, model_key: str) -> StoredRun | None:
        """Return the last finished run of an experiment that made a model, or None."""
        with self.database.connect() as connection:
            key = {"experiment_id": experiment_id, "model_key": model_key}
            return one(StoredRun, connection.execute(_BY_MODEL_KEY, key))

    def before(self, run: StoredRun) -> StoredRun | None:
        """Return the finished run of the same experiment that started last before this one, or None."""
        key = {"experiment_id": run.experiment_id, "id": run.id, "started_at": run.started_at}
        with self.database.connect() as connection:
            return one(StoredRun, connection.execute(_BEFORE, key))

    def links(self, experiment: str | None = None) -> list[TrainingRunLink]:
        """Return the lineage of every run, or of the runs of one experiment."""
        with self.database.connect() as connection:
            return every(TrainingRunLink, connection.execute(_LINKS, {"experiment": experiment}))
