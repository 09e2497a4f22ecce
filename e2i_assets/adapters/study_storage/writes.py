"""What is written of a trial: Optuna's tables and ours in the same transactions, in as few round trips as it takes.

Several statements travel in one text, which the driver sends as it is. Every transaction that counts trials takes the
study's row first, so that no two of them wait for each other.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from e2i_assets.adapters.stores.study_store import LOCK, RECORD, trial_parameters
from e2i_assets.adapters.study_storage.contents import Contents, contents_of, values_parameters
from e2i_assets.adapters.study_storage.reads import Study
from e2i_assets.adapters.study_storage.trial_rows import trial_row
from e2i_assets.core.errors import BudgetSpent

_LOCK = sa.text(LOCK)
# A study that others work on is running, whoever has ended it meanwhile.
_CLAIM = f"""
    {LOCK};
    UPDATE ml_hpo_studies SET status = 'running', completed_at = NULL, stop_reason = NULL, error_message = NULL
    WHERE id = :study_id AND status <> 'running'
"""
_SPENT = """
    SELECT n_completed + n_pruned + n_failed
        + (SELECT count(*) FROM ml_hpo_trials WHERE study_id = :study_id AND state = 'RUNNING') AS trials
    FROM ml_hpo_studies WHERE id = :study_id
"""
# Optuna takes the same lock, so the ids of a study's trials become visible in their order.
_LOCK_OPTUNA = "SELECT 1 FROM optuna.studies WHERE study_id = :optuna_id FOR UPDATE"
_CREATE = """
    INSERT INTO optuna.trials (study_id, number, state, datetime_start, datetime_complete)
    SELECT :optuna_id, coalesce(last.number + 1, 0), :state, :started, :ended
    FROM (SELECT 1) AS always LEFT JOIN (
        SELECT number FROM optuna.trials WHERE study_id = :optuna_id ORDER BY trial_id DESC LIMIT 1
    ) AS last ON true
    RETURNING trial_id, number
"""
_CREATE_NEW = sa.text(f"""
    {_CLAIM}; {_LOCK_OPTUNA};
    WITH spent AS ({_SPENT}), made AS ({_CREATE}), told AS (
        INSERT INTO ml_hpo_trials (study_id, trial_number, state, origin, datetime_start, worker)
        SELECT :study_id, number, 'RUNNING', 'sampler', CAST(:started AS timestamp) AT TIME ZONE 'UTC', :worker
        FROM made
    )
    SELECT spent.trials, made.trial_id, made.number FROM spent, made
""")
_CREATE_FROM = sa.text(f"{_LOCK_OPTUNA}; {_CREATE}")
_CLAIM_WAITING = sa.text(f"{_CLAIM}; {_SPENT}")
_START = sa.text("""
    UPDATE optuna.trials SET state = 'RUNNING', datetime_start = :started
    WHERE trial_id = :trial_id AND state = 'WAITING'
""")
_RECORD = sa.text(RECORD)
_CONTENTS = """
    INSERT INTO optuna.trial_params (trial_id, param_name, param_value, distribution_json)
    SELECT :trial_id, * FROM unnest(
        CAST(:names AS text[]), CAST(:drawn AS double precision[]), CAST(:distributions AS text[]))
    ON CONFLICT (trial_id, param_name) DO UPDATE
    SET param_value = excluded.param_value, distribution_json = excluded.distribution_json;
    INSERT INTO optuna.trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type)
    SELECT :trial_id, * FROM unnest(
        CAST(:steps AS integer[]), CAST(:reports AS double precision[]),
        CAST(:report_types AS optuna.trialintermediatevaluetype[]))
    ON CONFLICT (trial_id, step) DO UPDATE
    SET intermediate_value = excluded.intermediate_value, intermediate_value_type = excluded.intermediate_value_type;
    INSERT INTO optuna.trial_user_attributes (trial_id, key, value_json)
    SELECT :trial_id, * FROM unnest(CAST(:user_keys AS text[]), CAST(:user_values AS text[]))
    ON CONFLICT (trial_id, key) DO UPDATE SET value_json = excluded.value_json;
    INSERT INTO optuna.trial_system_attributes (trial_id, key, value_json)
    SELECT :trial_id, * FROM unnest(CAST(:system_keys AS text[]), CAST(:system_values AS text[]))
    ON CONFLICT (trial_id, key) DO UPDATE SET value_json = excluded.value_json
"""
_VALUES = """
    INSERT INTO optuna.trial_values (trial_id, objective, value, value_type)
    SELECT :trial_id, * FROM unnest(
        CAST(:value_numbers AS integer[]), CAST(:told AS double precision[]),
        CAST(:value_types AS optuna.trialvaluetype[]))
    ON CONFLICT (trial_id, objective) DO UPDATE SET value = excluded.value, value_type = excluded.value_type
"""
_COUNT = """
    UPDATE ml_hpo_studies SET
        n_completed = n_completed + :completed, n_pruned = n_pruned + :pruned, n_failed = n_failed + :failed,
        n_trials = greatest(n_trials, n_completed + n_pruned + n_failed + :completed + :pruned + :failed)
    WHERE id = :study_id;
    UPDATE ml_hpo_studies SET best_trial_number = :trial_number, best_value = :value, best_params = :params
    WHERE id = :study_id AND :may_be_best AND (best_value IS NULL OR best_value < CAST(:value AS double precision)
        OR (best_value = CAST(:value AS double precision) AND best_trial_number > :trial_number))
"""
_WHOLE = sa.text(f"{_CONTENTS}; {_VALUES}")
# What is lost when the server dies in the next moment is some progress of a trial that would be lost with it.
_PROGRESS = sa.text(f"""
    SET LOCAL synchronous_commit = off; {_CONTENTS};
    UPDATE ml_hpo_trials SET params = :params, intermediate_values = :intermediate_values, user_attrs = :user_attrs
    WHERE study_id = :study_id AND trial_number = :trial_number AND state = 'RUNNING'
""")
# Last what tells whether the trial had ended already: then all before it is taken back.
_END = sa.text(f"""
    {LOCK}; {_CONTENTS}; {_VALUES}; {RECORD}; {_COUNT};
    UPDATE optuna.trials SET state = :state, datetime_complete = :ended
    WHERE trial_id = :trial_id AND state IN ('RUNNING', 'WAITING')
""")
_ADD = sa.text(f"{_CONTENTS}; {_VALUES}; {RECORD}; {_COUNT}")


@dataclass(frozen=True, slots=True)
class Claims:
    """On whose behalf trials are claimed: the lock of this process, and how many trials the study may have in all."""

    worker: str | None
    budget: int | None

    def require_room(self, spent: int) -> None:
        """Raise BudgetSpent when so many finished and running trials leave no room for one more."""
        if self.budget is not None and spent >= self.budget:
            raise BudgetSpent(f"all {self.budget} trials are finished, or running in another process")


def lock(connection: sa.Connection, study: Study) -> None:
    """Take the study's row."""
    connection.execute(_LOCK, study.parameters())


def create_new(connection: sa.Connection, study: Study, trial: FrozenTrial, claims: Claims) -> tuple[int, int]:
    """Claim one more trial and insert it as running, and return its id and its number.

    Raises:
        BudgetSpent: Finished and running trials are as many as may be.
    """
    made = {**study.parameters(), **_times(trial), "state": trial.state.name, "worker": claims.worker}
    spent, trial_id, number = connection.execute(_CREATE_NEW, made).one()
    claims.require_room(spent)
    return trial_id, number


def create_from(connection: sa.Connection, study: Study, template: FrozenTrial, claims: Claims) -> tuple[int, int]:
    """Insert a trial with all that it holds, and return its id and its number; the study's row must be locked.

    Raises:
        BudgetSpent: It would be running, and no more may.
    """
    if template.state is TrialState.RUNNING:
        claims.require_room(connection.execute(_CLAIM_WAITING, study.parameters()).scalar_one())
    created = {"optuna_id": study.optuna_id, **_times(template), "state": template.state.name}
    trial_id, number = connection.execute(_CREATE_FROM, created).one()
    template.number = number
    contents = contents_of(template)
    if template.state.is_finished():
        connection.execute(_ADD, {"trial_id": trial_id, **_ended(study, template, contents)})
    else:
        values = values_parameters(template.values)
        connection.execute(_WHOLE, {"trial_id": trial_id, **contents.parameters(), **values})
        if template.state is TrialState.RUNNING:
            connection.execute(_RECORD, _row(study, template, claims.worker))
    return trial_id, number


def start(connection: sa.Connection, study: Study, trial: FrozenTrial, claims: Claims) -> bool:
    """Claim a waiting trial and set it running; False when another process was faster.

    Raises:
        BudgetSpent: Finished and running trials are as many as may be.
    """
    spent = connection.execute(_CLAIM_WAITING, study.parameters()).scalar_one()
    if connection.execute(_START, {"trial_id": trial._trial_id, **_times(trial)}).rowcount == 0:
        return False
    claims.require_room(spent)
    connection.execute(_RECORD, _row(study, trial, claims.worker))
    return True


def progress(connection: sa.Connection, study: Study, trial: FrozenTrial, contents: Contents) -> None:
    """Write what a running trial has come to.

    Raises:
        UpdateFinishedTrialError: Another process took this one for dead and has ended the trial.
    """
    told = {"trial_id": trial._trial_id, **contents.parameters(), **_row(study, trial, None)}
    if connection.execute(_PROGRESS, told).rowcount == 0:
        raise _taken(trial)


def end(connection: sa.Connection, study: Study, trial: FrozenTrial, contents: Contents) -> None:
    """Write how a trial ended, and what of it was not written yet.

    Raises:
        UpdateFinishedTrialError: It had ended already.
    """
    told = {"trial_id": trial._trial_id, **_times(trial), **_ended(study, trial, contents)}
    if connection.execute(_END, told).rowcount == 0:
        raise _taken(trial)


def record(connection: sa.Connection, study: Study, trials: list[FrozenTrial]) -> None:
    """Bring our table to what Optuna has of these trials."""
    connection.execute(_RECORD, [_row(study, trial, None) for trial in trials])


def _row(study: Study, trial: FrozenTrial, worker: str | None) -> dict[str, Any]:
    return trial_parameters(study.study_id, trial_row(trial, worker)[1])


def _ended(study: Study, trial: FrozenTrial, contents: Contents) -> dict[str, Any]:
    told, row = trial_row(trial, None)
    return {
        "completed": int(told.counts and told.state == "COMPLETE"),
        "pruned": int(told.counts and told.state == "PRUNED"),
        "failed": int(told.counts and told.state == "FAIL"),
        "may_be_best": told.state == "COMPLETE" and told.is_feasible,
        **contents.parameters(),
        **values_parameters(trial.values),
        **trial_parameters(study.study_id, row),
    }


def _times(trial: FrozenTrial) -> dict[str, datetime | None]:
    return {"started": _utc(trial.datetime_start), "ended": _utc(trial.datetime_complete)}


def _taken(trial: FrozenTrial) -> UpdateFinishedTrialError:
    return UpdateFinishedTrialError(f"Trial#{trial.number} has already finished and can not be updated.")


def _utc(moment: datetime | None) -> datetime | None:
    """Optuna's trials hold naive local time, its tables naive UTC."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)
