"""What is written of a trial: Optuna's tables and ours in the same transactions.

Every transaction that counts trials takes the study's row first, so that no two of them wait for each other.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from e2i_assets.adapters.stores.study_store import trial_parameters
from e2i_assets.adapters.study_storage import statements
from e2i_assets.adapters.study_storage.contents import Contents, contents_of, values_parameters
from e2i_assets.adapters.study_storage.reads import Study
from e2i_assets.adapters.study_storage.trial_rows import trial_row
from e2i_assets.core.errors import BudgetSpent


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
    connection.execute(statements.TAKE_STUDY, study.parameters())


def create_new(connection: sa.Connection, study: Study, trial: FrozenTrial, claims: Claims) -> tuple[int, int]:
    """Claim one more trial and insert it as running, and return its id and its number.

    Raises:
        BudgetSpent: Finished and running trials are as many as may be.
    """
    made = {**study.parameters(), **_times(trial), "state": trial.state.name, "worker": claims.worker}
    spent, trial_id, number = connection.execute(statements.CREATE_NEW, made).one()
    claims.require_room(spent)
    return trial_id, number


def create_from(connection: sa.Connection, study: Study, template: FrozenTrial, claims: Claims) -> tuple[int, int]:
    """Insert a trial with all that it holds, and return its id and its number; the study's row must be locked.

    Raises:
        BudgetSpent: It would be running, and no more may.
    """
    if template.state is TrialState.RUNNING:
        claims.require_room(connection.execute(statements.CLAIM_WAITING, study.parameters()).scalar_one())
    created = {"optuna_id": study.optuna_id, **_times(template), "state": template.state.name}
    trial_id, number = connection.execute(statements.CREATE_FROM, created).one()
    template.number = number
    contents = contents_of(template)
    if template.state.is_finished():
        connection.execute(statements.ADD, {"trial_id": trial_id, **_ended(study, template, contents)})
    else:
        values = values_parameters(template.values)
        connection.execute(statements.WHOLE, {"trial_id": trial_id, **contents.parameters(), **values})
        if template.state is TrialState.RUNNING:
            connection.execute(statements.RECORD_TRIAL, _row(study, template, claims.worker))
    return trial_id, number


def start(connection: sa.Connection, study: Study, trial: FrozenTrial, claims: Claims) -> bool:
    """Claim a waiting trial and set it running; False when another process was faster.

    Raises:
        BudgetSpent: Finished and running trials are as many as may be.
    """
    spent = connection.execute(statements.CLAIM_WAITING, study.parameters()).scalar_one()
    if connection.execute(statements.START, {"trial_id": trial._trial_id, **_times(trial)}).rowcount == 0:
        return False
    claims.require_room(spent)
    connection.execute(statements.RECORD_TRIAL, _row(study, trial, claims.worker))
    return True


def progress(connection: sa.Connection, study: Study, trial: FrozenTrial, contents: Contents) -> None:
    """Write what a running trial has come to.

    Raises:
        UpdateFinishedTrialError: Another process took this one for dead and has ended the trial.
    """
    told = {"trial_id": trial._trial_id, **contents.parameters(), **_row(study, trial, None)}
    if connection.execute(statements.PROGRESS, told).rowcount == 0:
        raise _taken(trial)


def end(connection: sa.Connection, study: Study, trial: FrozenTrial, contents: Contents) -> None:
    """Write how a trial ended, and what of it was not written yet.

    Raises:
        UpdateFinishedTrialError: It had ended already.
    """
    told = {"trial_id": trial._trial_id, **_times(trial), **_ended(study, trial, contents)}
    if connection.execute(statements.END, told).rowcount == 0:
        raise _taken(trial)


def record(connection: sa.Connection, study: Study, trials: list[FrozenTrial]) -> None:
    """Bring our table to what Optuna has of these trials."""
    connection.execute(statements.RECORD_TRIAL, [_row(study, trial, None) for trial in trials])


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
