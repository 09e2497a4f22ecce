"""A trial as our tables have it."""

from typing import TYPE_CHECKING

from e2i_assets.adapters.repositories.study_rows import TrialRow
from e2i_assets.core.search.trials import TrialRecord, record_of

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


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
