"""Queries for the changes that other processes made to a study; they read as little as possible."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from optuna.distributions import json_to_distribution
from optuna.trial import FrozenTrial, TrialState

from e2i_assets.adapters.optuna_storage.contents import contents_of
from e2i_assets.adapters.optuna_storage.worker_lease import HEARTBEAT_VALID_UNTIL

# Every write to a trial updates its row in ml_hpo_trials, so the xmin of that row shows whether there is anything new.
_CHANGES = sa.text("""
    SELECT trial.trial_id, CAST(trial.state AS text) AS state, CAST(ours.xmin AS text) AS version
    FROM optuna.trials AS trial
    LEFT JOIN ml_hpo_trials AS ours ON ours.study_id = :study_id AND ours.trial_number = trial.number
    WHERE trial.study_id = :optuna_id
      AND (trial.trial_id > :after OR trial.trial_id = ANY(CAST(:unfinished AS integer[])))
    ORDER BY trial.trial_id
""")
_TRIALS = sa.text("""
    SELECT trial_id, number, CAST(state AS text) AS state, datetime_start, datetime_complete,
        (SELECT json_agg(json_build_array(param_name, param_value, distribution_json) ORDER BY param_id)
         FROM optuna.trial_params AS part WHERE part.trial_id = trial.trial_id) AS params,
        (SELECT json_agg(json_build_array(key, value_json) ORDER BY trial_user_attribute_id)
         FROM optuna.trial_user_attributes AS part WHERE part.trial_id = trial.trial_id) AS user_attrs,
        (SELECT json_agg(json_build_array(key, value_json) ORDER BY trial_system_attribute_id)
         FROM optuna.trial_system_attributes AS part WHERE part.trial_id = trial.trial_id) AS system_attrs,
        (SELECT json_agg(json_build_array(step, intermediate_value, intermediate_value_type) ORDER BY step)
         FROM optuna.trial_intermediate_values AS part WHERE part.trial_id = trial.trial_id) AS reports,
        (SELECT json_agg(json_build_array(objective, value, value_type) ORDER BY objective)
         FROM optuna.trial_values AS part WHERE part.trial_id = trial.trial_id) AS objective_values
    FROM optuna.trials AS trial
    WHERE study_id = :optuna_id AND trial_id = ANY(CAST(:trial_ids AS integer[])) ORDER BY trial_id
""")
_WITH_ATTRIBUTES = sa.text("""
    SELECT trial.trial_id, (
        SELECT value_json FROM optuna.trial_system_attributes AS part
        WHERE part.trial_id = trial.trial_id AND part.key = :fixed
    ) AS fixed
    FROM optuna.trials AS trial
    WHERE trial.study_id = :optuna_id AND NOT EXISTS (
        SELECT FROM unnest(CAST(:keys AS text[]), CAST(:texts AS text[])) AS wanted (key, value_json)
        WHERE NOT EXISTS (
            SELECT FROM optuna.trial_user_attributes AS part
            WHERE part.trial_id = trial.trial_id AND part.key = wanted.key AND part.value_json = wanted.value_json
        )
    )
    ORDER BY trial.trial_id
""")
_UNSYNCED = sa.text("""
    SELECT trial.trial_id FROM optuna.trials AS trial
    LEFT JOIN ml_hpo_trials AS ours ON ours.study_id = :study_id AND ours.trial_number = trial.number
    WHERE trial.study_id = :optuna_id AND trial.state <> 'WAITING'
      AND ours.state IS DISTINCT FROM CAST(trial.state AS text)
""")
_LOST = sa.text("""
    SELECT count(*) FROM ml_hpo_trials AS ours
    WHERE ours.study_id = :study_id AND NOT EXISTS (
        SELECT FROM optuna.trials AS trial
        WHERE trial.study_id = :optuna_id AND trial.number = ours.trial_number
    )
""")
# A worker without a row has ended, or was silent for so long that its row was deleted.
_RUNNING = sa.text(f"""
    SELECT trial.number, ours.worker,
        worker.name IS NULL OR {HEARTBEAT_VALID_UNTIL} < clock_timestamp() AS has_expired
    FROM optuna.trials AS trial
    LEFT JOIN ml_hpo_trials AS ours ON ours.study_id = :study_id AND ours.trial_number = trial.number
    LEFT JOIN ml_hpo_workers AS worker ON worker.name = ours.worker
    WHERE trial.study_id = :optuna_id AND trial.state = 'RUNNING' ORDER BY trial.number
""")
_SYSTEM_ATTRIBUTES = sa.text("SELECT key, value_json FROM optuna.study_system_attributes WHERE study_id = :optuna_id")
_FIXED = "fixed_params"
_NOT_FINITE = {"INF_POS": float("inf"), "INF_NEG": float("-inf"), "NAN": float("nan")}


@dataclass(frozen=True, slots=True)
class Study:
    """The two ids of a study: in our tables and in Optuna's."""

    study_id: str
    optuna_id: int

    def parameters(self) -> dict[str, Any]:
        return {"study_id": self.study_id, "optuna_id": self.optuna_id}


@dataclass(frozen=True, slots=True)
class Change:
    """A trial that may have changed: `version` differs from the version read before if it has."""

    trial_id: int
    version: str


@dataclass(frozen=True, slots=True)
class Running:
    """A running trial: its number, the name of the process that runs it, and whether the lease has expired."""

    number: int
    worker: str | None
    has_expired: bool


def changes(connection: sa.Connection, study: Study, after: int, unfinished: Collection[int]) -> list[Change]:
    """Return the current versions of the trials with a higher id than `after` and of the `unfinished` ones."""
    found = connection.execute(_CHANGES, {**study.parameters(), "after": after, "unfinished": list(unfinished)})
    return [Change(trial_id, f"{state} {version}") for trial_id, state, version in found]


def trials(connection: sa.Connection, study: Study, trial_ids: Iterable[int]) -> list[FrozenTrial]:
    """Return complete trials, ordered by id."""
    found = connection.execute(_TRIALS, {**study.parameters(), "trial_ids": list(trial_ids)})
    return [_trial(row) for row in found.mappings()]


def queued_duplicate(connection: sa.Connection, study: Study, trial: FrozenTrial) -> int | None:
    """Return the id of the first trial that was queued with the same configuration and at least these attributes."""
    texts = contents_of(trial).user_attrs
    wanted = {"keys": list(texts), "texts": list(texts.values()), "fixed": _FIXED}
    for trial_id, fixed in connection.execute(_WITH_ATTRIBUTES, {**study.parameters(), **wanted}):
        # Compared as values: the same parameters may be stored in another order.
        if (None if fixed is None else json.loads(fixed)) == trial.system_attrs.get(_FIXED):
            return int(trial_id)
    return None


def unsynced(connection: sa.Connection, study: Study) -> list[int]:
    """Return the ids of the trials that are missing in our table or have another state there."""
    return list(connection.execute(_UNSYNCED, study.parameters()).scalars())


def lost(connection: sa.Connection, study: Study) -> int:
    """Return the number of trials that exist in our table but not in Optuna's."""
    return int(connection.execute(_LOST, study.parameters()).scalar_one())


def system_attributes(connection: sa.Connection, study: Study) -> dict[str, Any]:
    """Return Optuna's system attributes of the study."""
    found = connection.execute(_SYSTEM_ATTRIBUTES, study.parameters())
    return {key: json.loads(text) for key, text in found}


def running(connection: sa.Connection, study: Study) -> list[Running]:
    """Return the running trials, ordered by number."""
    return [Running(*row) for row in connection.execute(_RUNNING, study.parameters())]


def _trial(row: Any) -> FrozenTrial:
    distributions = {name: json_to_distribution(document) for name, _, document in row["params"] or ()}
    return FrozenTrial(
        number=row["number"],
        state=TrialState[row["state"]],
        value=None,
        values=[_number(*stored) for _, *stored in row["objective_values"] or ()] or None,
        datetime_start=_local(row["datetime_start"]),
        datetime_complete=_local(row["datetime_complete"]),
        params={name: distributions[name].to_external_repr(value) for name, value, _ in row["params"] or ()},
        distributions=distributions,
        user_attrs={key: json.loads(text) for key, text in row["user_attrs"] or ()},
        system_attrs={key: json.loads(text) for key, text in row["system_attrs"] or ()},
        intermediate_values={step: _number(*stored) for step, *stored in row["reports"] or ()},
        trial_id=row["trial_id"],
    )


def _number(value: float | None, kind: str) -> float:
    return _NOT_FINITE[kind] if value is None else float(value)


def _local(moment: datetime | None) -> datetime | None:
    """Convert naive UTC (Optuna's tables) to naive local time (Optuna's trials)."""
    return None if moment is None else moment.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)
