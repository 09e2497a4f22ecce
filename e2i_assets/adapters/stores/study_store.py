"""Studies and their trials as everybody may read them: the tables `ml_hpo_studies` and `ml_hpo_trials`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, TypedDict, Unpack

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.stores.rows import (
    bound,
    columns,
    every,
    finite_or_null,
    one,
    parameters,
    placeholders,
    replacements,
)

StudyStatus = Literal["running", "completed", "partial", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRow:
    """A study as it is asked for; `spec_hash` is its identity and `n_trials` its budget."""

    study_name: str
    spec_hash: str
    experiment_id: str
    split_id: str | None
    data_hash: str
    algorithm_name: str
    problem_type: str
    sampler_name: str
    pruner_name: str
    metric: str
    seed: int
    search_space: Mapping[str, Any]
    fixed_params: Mapping[str, Any]
    n_trials: int
    direction: str = "maximize"
    created_by: str = "e2i_assets"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStudy(StudyRow):
    """A study as it stands."""

    id: str
    status: StudyStatus
    n_completed: int
    n_pruned: int
    n_failed: int
    best_trial_number: int | None
    best_value: float | None
    best_params: Mapping[str, Any]
    default_value: float | None
    duration_seconds: float | None
    stop_reason: str | None
    error_message: str | None
    started_at: datetime
    completed_at: datetime | None


class StudyOutcome(TypedDict):
    """How a study ended. Values are in the orientation that the study maximises."""

    status: StudyStatus
    n_completed: int
    n_pruned: int
    n_failed: int
    best_trial_number: int | None
    best_value: float | None
    best_params: Mapping[str, Any]
    default_value: float | None
    duration_seconds: float
    stop_reason: str | None
    error_message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRow:
    """One configuration that a study tried; `intermediate_values` go from step to value."""

    trial_number: int
    state: str
    origin: str
    params: Mapping[str, Any]
    value: float | None = None
    intermediate_values: Mapping[str, float | None] = field(default_factory=dict)
    datetime_start: datetime | None = None
    datetime_complete: datetime | None = None
    duration_seconds: float | None = None
    error_type: str | None = None
    error_message: str | None = None
    user_attrs: Mapping[str, Any] = field(default_factory=dict)
    system_attrs: Mapping[str, Any] = field(default_factory=dict)


# A resumed study keeps its start; its budget never falls below what has been spent of it.
_START = sa.text(f"""
    INSERT INTO ml_hpo_studies ({columns(StudyRow)}) VALUES ({placeholders(StudyRow)})
    ON CONFLICT (spec_hash) DO UPDATE SET {replacements(StudyRow, "spec_hash", "n_trials")},
        n_trials = greatest(excluded.n_trials,
                            ml_hpo_studies.n_completed + ml_hpo_studies.n_pruned + ml_hpo_studies.n_failed),
        status = 'running', completed_at = NULL, stop_reason = NULL, error_message = NULL
    RETURNING id::text
""")
_RECORD = sa.text(f"""
    INSERT INTO ml_hpo_trials (study_id, {columns(TrialRow)}) VALUES (:study_id, {placeholders(TrialRow)})
    ON CONFLICT (study_id, trial_number) DO UPDATE SET {replacements(TrialRow, "trial_number")}
""")
_FINISH = sa.text("""
    UPDATE ml_hpo_studies SET
        status = :status, n_completed = :n_completed, n_pruned = :n_pruned, n_failed = :n_failed,
        best_trial_number = :best_trial_number, best_value = :best_value, best_params = :best_params,
        default_value = :default_value, duration_seconds = :duration_seconds, stop_reason = :stop_reason,
        error_message = :error_message, completed_at = greatest(clock_timestamp(), started_at)
    WHERE id = :study_id RETURNING id
""")
# The counts are those of the trials that were recorded; one whose process died is tried again and counts as none.
_FAIL = sa.text("""
    UPDATE ml_hpo_studies AS study SET
        status = 'failed', error_message = :error_message, completed_at = greatest(clock_timestamp(), started_at),
        n_completed = counted.completed, n_pruned = counted.pruned, n_failed = counted.failed
    FROM (
        SELECT count(*) FILTER (WHERE state = 'COMPLETE') AS completed,
               count(*) FILTER (WHERE state = 'PRUNED') AS pruned,
               count(*) FILTER (WHERE state = 'FAIL' AND error_type IS DISTINCT FROM 'Interrupted') AS failed
        FROM ml_hpo_trials WHERE study_id = :study_id
    ) AS counted
    WHERE study.id = :study_id RETURNING study.id
""")
_STUDY = f"SELECT {columns(StoredStudy)} FROM ml_hpo_studies"
_BY_SPEC_HASH = sa.text(f"{_STUDY} WHERE spec_hash = :spec_hash")
_BY_NAME = sa.text(f"{_STUDY} WHERE study_name = :study_name")
_TRIALS = sa.text(f"SELECT {columns(TrialRow)} FROM ml_hpo_trials WHERE study_id = :study_id ORDER BY trial_number")


@dataclass(frozen=True, slots=True)
class StudyStore:
    """Reads and writes studies."""

    database: Database

    def start(self, study: StudyRow) -> str:
        """Insert a study, or set the one of this identity running again, and return its id."""
        with self.database.begin() as connection:
            return str(connection.execute(_START, parameters(study)).scalar_one())

    def record_trials(self, study_id: str, trials: Iterable[TrialRow]) -> None:
        """Insert trials or bring them up to date, all or none."""
        rows = [{**parameters(_storable(trial)), "study_id": study_id} for trial in trials]
        if rows:
            with self.database.begin() as connection:
                connection.execute(_RECORD, rows)

    def finish(self, study_id: str, **outcome: Unpack[StudyOutcome]) -> None:
        """Record how a study ended; its best trial must have been recorded."""
        with self.database.begin() as connection:
            connection.execute(_FINISH, {**bound(outcome), "study_id": study_id}).one()

    def fail(self, study_id: str, error_message: str) -> None:
        """Record that a study broke off, and why."""
        with self.database.begin() as connection:
            connection.execute(_FAIL, {"study_id": study_id, "error_message": error_message}).one()

    def by_spec_hash(self, spec_hash: str) -> StoredStudy | None:
        """Return the study of an identity."""
        with self.database.connect() as connection:
            return one(StoredStudy, connection.execute(_BY_SPEC_HASH, {"spec_hash": spec_hash}))

    def by_name(self, study_name: str) -> StoredStudy | None:
        """Return the study of a name."""
        with self.database.connect() as connection:
            return one(StoredStudy, connection.execute(_BY_NAME, {"study_name": study_name}))

    def trials(self, study_id: str) -> list[TrialRow]:
        """Return the trials of a study in their order."""
        with self.database.connect() as connection:
            return every(TrialRow, connection.execute(_TRIALS, {"study_id": study_id}))


def _storable(trial: TrialRow) -> TrialRow:
    return replace(trial, intermediate_values=finite_or_null(trial.intermediate_values))
