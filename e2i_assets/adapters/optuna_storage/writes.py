"""What is written of a trial: Optuna's tables and ours in the same transactions.

Every transaction that counts trials takes the study's row first, so that no two of them wait for each other.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


@dataclass(frozen=True, slots=True)
class Claims:
    """On whose behalf trials are claimed.

    Attributes:
        worker: The lock of this process.
        budget: How many trials the study may have in all.
        leader: The process for which this one works, if it is led.
    """

    worker: str | None
    budget: int | None
    coordinator: str | None = None

    def require_room(self, spent: int, is_led: bool) -> None:
        """Do nothing when one more trial may be claimed, beside so many that are finished or running.

        Raises:
            StudyCancelled: The coordinator of this process has ended the study. The claim's row is rolled back with it.
            BudgetSpent: There is no room.
        """
        if not is_led:
            raise StudyCancelled("no trial is begun any more: whoever leads it is gone, or has ended the study")
        if self.budget is not None and spent >= self.budget:
            raise BudgetSpent(f"all {self.budget} trials are finished, or running in another process")


def lock(connection: sa.Connection, study: Study) -> None:
    """Take the study's row."""
    connection.execute(statements.TAKE_STUDY, study.parameters())


def create_new(connection: sa.Connection, study: Study, trial: FrozenTrial, claims: Claims) -> tuple[int, int]:
    """Claim one more trial and insert it as running, and return its id and its number.

    Raises:
        BudgetSpent: Finished and running trials are as many as may be.
        StudyCancelled: Who leads this process has ended the study.
    """
    made = {**study.parameters(), **_times(trial), "state": trial.state.name, "worker": claims.worker}
    made["leader"] = claims.coordinator
    spent, is_led, trial_id, number = connection.execute(statements.CREATE_NEW, made).one()
    claims.require_room(spent, is_led)
    return trial_id, number


def create_from(connection: sa.Connection, study: Study, template: FrozenTrial, claims: Claims) -> tuple[int, int]:
    """Insert a trial with all that it holds, and return its id and its number; the study's row must be locked.

    Raises:
        BudgetSpent, StudyCancelled: It would be running, and no more may.
    """
    if template.state is TrialState.RUNNING:
        claims.require_room(*_claim(connection, study, claims))
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
        StudyCancelled: Who leads this process has ended the study.
    """
    spent, is_led = _claim(connection, study, claims)
    if connection.execute(statements.START, {"trial_id": trial._trial_id, **_times(trial)}).rowcount == 0:
        return False
    claims.require_room(spent, is_led)
    connection.execute(statements.RECORD_TRIAL, _row(study, trial, claims.worker))
    return True


def _claim(connection: sa.Connection, study: Study, claims: Claims) -> tuple[int, bool]:
    asked = {**study.parameters(), "leader": claims.coordinator}
    spent, is_led = connection.execute(statements.CLAIM_WAITING, asked).one()
    return spent, is_led


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


def trial_row(trial: "FrozenTrial", worker: str | None) -> tuple[TrialRecord, TrialRow]:
    """Return what Optuna has of a trial as our record and as the row of our table.

    Args:
        trial: The trial.
        worker: The name of the lock of the process that runs it; None keeps the one that is stored.
    """
    record = record_of(trial)
    row = TrialRow(
        trial_number=record.number,
        state=record.state,
        origin=record.origin,
        # What was queued for a trial is what it will fit, until it says so itself.
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
