"""Writes of trials: Optuna's tables and ours in the same transactions.

Every transaction that counts trials locks the study's row first, so these transactions cannot deadlock.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from e2i_assets.adapters.optuna_storage import statements
from e2i_assets.adapters.optuna_storage.contents import Contents, contents_of, values_parameters
from e2i_assets.adapters.optuna_storage.reads import Study
from e2i_assets.adapters.repositories.studies import trial_parameters
from e2i_assets.adapters.repositories.study_rows import TrialRow
from e2i_assets.core.errors import BudgetSpent, StudyCancelled
from e2i_assets.core.search.trials import TrialRecord, record_of


@dataclass(frozen=True, slots=True)
class Claims:
    """Limits on the trials that a process may claim.

    Attributes:
        worker: The name of this process.
        budget: Maximum number of trials of the study; None for no limit.
        coordinator: The process that this one works for, if any.
    """

    worker: str | None
    budget: int | None
    coordinator: str | None = None

    def require_budget(self, spent: int, may_claim: bool) -> None:
        """Check that one more trial may be claimed; the caller's transaction is rolled back if not.

        Args:
            spent: The number of finished and running trials.
            may_claim: False if the coordinator of this process has ended the study or is gone.

        Raises:
            StudyCancelled: The coordinator has ended the study or is gone.
            BudgetSpent: The budget is used up.
        """
        if not may_claim:
            raise StudyCancelled("no further trial is started: the coordinator is gone or has ended the study")
        if self.budget is not None and spent >= self.budget:
            raise BudgetSpent(f"all {self.budget} trials are finished, or running in another process")


def lock(connection: sa.Connection, study: Study) -> None:
    """Lock the study's row until the end of the transaction."""
    connection.execute(statements.LOCK_STUDY, study.parameters())


def create_new(connection: sa.Connection, study: Study, trial: FrozenTrial, claims: Claims) -> tuple[int, int]:
    """Claim one more trial, insert it as running and return its id and number.

    Raises:
        BudgetSpent: The number of finished and running trials has reached the budget.
        StudyCancelled: The coordinator of this process has ended the study or is gone.
    """
    made = {**study.parameters(), **_times(trial), "state": trial.state.name, "worker": claims.worker}
    made["coordinator"] = claims.coordinator
    spent, may_claim, trial_id, number = connection.execute(statements.CREATE_NEW, made).one()
    claims.require_budget(spent, may_claim)
    return trial_id, number


def create_from(connection: sa.Connection, study: Study, template: FrozenTrial, claims: Claims) -> tuple[int, int]:
    """Insert a trial with all its contents and return its id and number; the study's row must be locked.

    Raises:
        BudgetSpent, StudyCancelled: `template` is RUNNING, and the budget is spent or the study was ended.
    """
    if template.state is TrialState.RUNNING:
        claims.require_budget(*_claim(connection, study, claims))
    created = {"optuna_id": study.optuna_id, **_times(template), "state": template.state.name}
    trial_id, number = connection.execute(statements.CREATE_FROM, created).one()
    template.number = number
    contents = contents_of(template)
    if template.state.is_finished():
        connection.execute(statements.ADD_FINISHED, {"trial_id": trial_id, **_ended(study, template, contents)})
    else:
        values = values_parameters(template.values)
        connection.execute(statements.WRITE_CONTENTS, {"trial_id": trial_id, **contents.parameters(), **values})
        if template.state is TrialState.RUNNING:
            connection.execute(statements.RECORD_TRIAL, _row(study, template, claims.worker))
    return trial_id, number


def start(connection: sa.Connection, study: Study, trial: FrozenTrial, claims: Claims) -> bool:
    """Claim a waiting trial and set it running; return False if another process was faster.

    Raises:
        BudgetSpent: The number of finished and running trials has reached the budget.
        StudyCancelled: The coordinator of this process has ended the study or is gone.
    """
    spent, may_claim = _claim(connection, study, claims)
    if connection.execute(statements.START, {"trial_id": trial._trial_id, **_times(trial)}).rowcount == 0:
        return False
    claims.require_budget(spent, may_claim)
    connection.execute(statements.RECORD_TRIAL, _row(study, trial, claims.worker))
    return True


def _claim(connection: sa.Connection, study: Study, claims: Claims) -> tuple[int, bool]:
    parameters = {**study.parameters(), "coordinator": claims.coordinator}
    spent, may_claim = connection.execute(statements.CLAIM_WAITING, parameters).one()
    return spent, may_claim


def progress(connection: sa.Connection, study: Study, trial: FrozenTrial, contents: Contents) -> None:
    """Write the progress of a running trial.

    Raises:
        UpdateFinishedTrialError: Another process took this one for dead and has ended the trial.
    """
    parameters = {"trial_id": trial._trial_id, **contents.parameters(), **_row(study, trial, None)}
    if connection.execute(statements.PROGRESS, parameters).rowcount == 0:
        raise _already_finished(trial)


def end(connection: sa.Connection, study: Study, trial: FrozenTrial, contents: Contents) -> None:
    """Write the end of a trial and its pending contents.

    Raises:
        UpdateFinishedTrialError: The trial had ended already.
    """
    parameters = {"trial_id": trial._trial_id, **_times(trial), **_ended(study, trial, contents)}
    if connection.execute(statements.END, parameters).rowcount == 0:
        raise _already_finished(trial)


def record(connection: sa.Connection, study: Study, trials: list[FrozenTrial]) -> None:
    """Sync the rows of these trials in our table with Optuna's."""
    connection.execute(statements.RECORD_TRIAL, [_row(study, trial, None) for trial in trials])


def _row(study: Study, trial: FrozenTrial, worker: str | None) -> dict[str, Any]:
    return trial_parameters(study.study_id, trial_row(trial, worker)[1])


def _ended(study: Study, trial: FrozenTrial, contents: Contents) -> dict[str, Any]:
    record, row = trial_row(trial, None)
    return {
        "completed": int(record.counts and record.state == "COMPLETE"),
        "pruned": int(record.counts and record.state == "PRUNED"),
        "failed": int(record.counts and record.state == "FAIL"),
        "may_be_best": record.state == "COMPLETE" and record.is_feasible,
        **contents.parameters(),
        **values_parameters(trial.values),
        **trial_parameters(study.study_id, row),
    }


def _times(trial: FrozenTrial) -> dict[str, datetime | None]:
    return {"started": _utc(trial.datetime_start), "ended": _utc(trial.datetime_complete)}


def _already_finished(trial: FrozenTrial) -> UpdateFinishedTrialError:
    return UpdateFinishedTrialError(f"Trial#{trial.number} has already finished and can not be updated.")


def _utc(moment: datetime | None) -> datetime | None:
    """Convert naive local time (Optuna's trials) to naive UTC (Optuna's tables)."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def trial_row(trial: "FrozenTrial", worker: str | None) -> tuple[TrialRecord, TrialRow]:
    """Return an Optuna trial as our record and as the row of our table.

    Args:
        trial: The trial.
        worker: The name of the process that runs it; None keeps the stored name.
    """
    record = record_of(trial)
    row = TrialRow(
        trial_number=record.number,
        state=record.state,
        origin=record.origin,
        # A queued trial has only its queued parameters until the sampler has drawn the others.
        params=record.params or trial.system_attrs.get("fixed_params", {}),
        value=record.value,
        intermediate_values={str(step): value for step, value in record.intermediate_values.items()},
        datetime_start=record.started_at,
        datetime_complete=record.completed_at,
        duration_seconds=record.seconds,
        error_type=record.error_type,
        error_message=record.error_message,
        user_attrs={
            **record.attributes,
            "sampled": record.sampled,
            "rounds": record.rounds,
            "fold_rounds": list(record.fold_rounds),
            "stopped_early": record.stopped_early,
        },
        objective_values=record.objective_values,
        constraint_values=record.constraint_values,
        is_feasible=record.is_feasible,
        worker=worker,
    )
    return record, row
