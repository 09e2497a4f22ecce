"""Studies and their trials in our own tables: `ml_hpo_studies` and `ml_hpo_trials`."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Unpack

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.row_mapping import (
    bound,
    columns,
    every,
    finite_or_null,
    one,
    parameters,
    placeholders,
    replacements,
)
from e2i_assets.adapters.repositories.study_rows import StoredStudy, StudyOutcome, StudyRow, TrialRow
from e2i_assets.core.search.trials import TRIED_AGAIN

# A resumed study keeps its start time; its budget never falls below the number of spent trials.
_START = sa.text(f"""
    INSERT INTO ml_hpo_studies ({columns(StudyRow)}) VALUES ({placeholders(StudyRow)})
    ON CONFLICT (spec_hash) DO UPDATE SET {replacements(StudyRow, "spec_hash", "n_trials")},
        n_trials = greatest(excluded.n_trials,
                            ml_hpo_studies.n_completed + ml_hpo_studies.n_pruned + ml_hpo_studies.n_failed),
        status = 'running', completed_at = NULL, stop_reason = NULL, error_message = NULL
    RETURNING id::text
""")
# The study storage executes this in the transactions that write Optuna's tables.
RECORD = f"""
    INSERT INTO ml_hpo_trials (study_id, {columns(TrialRow)}) VALUES (:study_id, {placeholders(TrialRow)})
    ON CONFLICT (study_id, trial_number) DO UPDATE SET {replacements(TrialRow, "trial_number", "worker")},
        worker = coalesce(excluded.worker, ml_hpo_trials.worker)
"""
# Run this as a separate statement before one that counts trials: that statement then sees all earlier commits.
LOCK = "SELECT 1 FROM ml_hpo_studies WHERE id = :study_id FOR NO KEY UPDATE"
_LOCK = sa.text(LOCK)
# A trial that is tried again, because its process died or the study's time was up, does not count for the budget.
_COUNTED = f"""
    SELECT count(*) FILTER (WHERE state = 'COMPLETE') AS completed,
           count(*) FILTER (WHERE state = 'PRUNED') AS pruned,
           count(*) FILTER (WHERE state = 'FAIL') AS failed
    FROM ml_hpo_trials
    WHERE study_id = :study_id AND (error_type IS NULL OR error_type NOT IN {TRIED_AGAIN})
"""
_FINISH = sa.text(f"""
    UPDATE ml_hpo_studies AS study SET
        status = :status, n_completed = counted.completed, n_pruned = counted.pruned, n_failed = counted.failed,
        n_trials = greatest(n_trials, counted.completed + counted.pruned + counted.failed),
        best_trial_number = :best_trial_number, best_value = :best_value, best_params = :best_params,
        default_value = :default_value, duration_seconds = :duration_seconds, stop_reason = :stop_reason,
        error_message = :error_message, completed_at = greatest(clock_timestamp(), started_at)
    FROM ({_COUNTED}) AS counted
    WHERE study.id = :study_id RETURNING study.id
""")
_MARK_PARETO = sa.text("""
    UPDATE ml_hpo_trials SET is_pareto = trial_number = ANY(CAST(:pareto AS integer[]))
    WHERE study_id = :study_id AND is_pareto IS DISTINCT FROM (trial_number = ANY(CAST(:pareto AS integer[])))
""")
_FAIL = sa.text(f"""
    UPDATE ml_hpo_studies AS study SET
        status = 'failed', error_message = :error_message, completed_at = greatest(clock_timestamp(), started_at),
        n_completed = counted.completed, n_pruned = counted.pruned, n_failed = counted.failed
    FROM ({_COUNTED}) AS counted
    WHERE study.id = :study_id RETURNING study.id
""")
# While the study runs, the best is the highest value; with several objectives, the end of the study selects the best.
_RECOUNT = sa.text(f"""
    UPDATE ml_hpo_studies AS study SET
        n_completed = counted.completed, n_pruned = counted.pruned, n_failed = counted.failed,
        n_trials = greatest(n_trials, counted.completed + counted.pruned + counted.failed),
        best_trial_number = best.trial_number, best_value = best.value, best_params = coalesce(best.params, '{{}}')
    FROM ({_COUNTED}) AS counted LEFT JOIN (
        SELECT trial_number, value, params FROM ml_hpo_trials
        WHERE study_id = :study_id AND state = 'COMPLETE' AND is_feasible ORDER BY value DESC, trial_number LIMIT 1
    ) AS best ON true
    WHERE study.id = :study_id AND study.status = 'running'
""")
_JOIN = sa.text("UPDATE ml_hpo_studies SET n_joined = n_joined + 1 WHERE id = :study_id RETURNING n_joined - 1")
_STUDY = f"SELECT {columns(StoredStudy)} FROM ml_hpo_studies"
_BY_SPEC_HASH = sa.text(f"{_STUDY} WHERE spec_hash = :spec_hash")
_BY_NAME = sa.text(f"{_STUDY} WHERE study_name = :study_name")
_PARETO = sa.text(
    "SELECT trial_number FROM ml_hpo_trials WHERE study_id = :study_id AND is_pareto ORDER BY trial_number"
)
_TRIALS = sa.text(f"SELECT {columns(TrialRow)} FROM ml_hpo_trials WHERE study_id = :study_id ORDER BY trial_number")


@dataclass(frozen=True, slots=True)
class StudyRepository:
    """Reads and writes studies."""

    database: Database

    def start(self, study: StudyRow) -> str:
        """Insert a study, or set the one with this study key to running again, and return its id."""
        with self.database.begin() as connection:
            return str(connection.execute(_START, parameters(study)).scalar_one())

    def join(self, study_id: str) -> int:
        """Count one more process that searches a study, and return the number of processes before it."""
        with self.database.begin() as connection:
            return int(connection.execute(_JOIN, {"study_id": study_id}).scalar_one())

    def recount(self, study_id: str) -> None:
        """Update the counts and the best trial of a running study from its trials."""
        with self.database.begin() as connection:
            connection.execute(_LOCK, {"study_id": study_id})
            connection.execute(_RECOUNT, {"study_id": study_id})

    def finish(self, study_id: str, pareto: Collection[int] = (), **outcome: Unpack[StudyOutcome]) -> None:
        """Record the end of a study and its Pareto set; these trials and the best one must be recorded already."""
        with self.database.begin() as connection:
            connection.execute(_LOCK, {"study_id": study_id})
            connection.execute(_FINISH, {**bound(outcome), "study_id": study_id}).one()
            connection.execute(_MARK_PARETO, {"pareto": sorted(pareto), "study_id": study_id})

    def fail(self, study_id: str, error_message: str) -> None:
        """Record that a study failed, and why."""
        with self.database.begin() as connection:
            connection.execute(_LOCK, {"study_id": study_id})
            connection.execute(_FAIL, {"study_id": study_id, "error_message": error_message}).one()

    def fail_if_possible(self, study_id: str, error_message: str) -> None:
        """Do the same as `fail`, but without an error when the database does not work."""
        with suppress(SQLAlchemyError):
            self.fail(study_id, error_message)

    def by_spec_hash(self, spec_hash: str) -> StoredStudy | None:
        """Return the study with a study key, or None."""
        with self.database.connect() as connection:
            return one(StoredStudy, connection.execute(_BY_SPEC_HASH, {"spec_hash": spec_hash}))

    def by_name(self, study_name: str) -> StoredStudy | None:
        """Return the study with a name, or None."""
        with self.database.connect() as connection:
            return one(StoredStudy, connection.execute(_BY_NAME, {"study_name": study_name}))

    def pareto_set(self, study_id: str) -> list[int]:
        """Return the numbers of the trials in the Pareto set of a finished study."""
        with self.database.connect() as connection:
            return list(connection.execute(_PARETO, {"study_id": study_id}).scalars())

    def trials(self, study_id: str) -> list[TrialRow]:
        """Return the trials of a study, ordered by number."""
        with self.database.connect() as connection:
            return every(TrialRow, connection.execute(_TRIALS, {"study_id": study_id}))


def trial_parameters(study_id: str, trial: TrialRow) -> dict[str, Any]:
    """Return the parameters of `RECORD` for a trial; intermediate values that are not finite become null."""
    finite = replace(trial, intermediate_values=finite_or_null(trial.intermediate_values))
    return {**parameters(finite), "study_id": study_id}
