"""Registered experiments: the table `ml_experiments`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.row_mapping import columns, document, every, one
from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment


class ExperimentNotRegistered(E2iError):
    """No experiment is registered under the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentRow:
    """A registered experiment.

    Attributes:
        spec: The validated experiment file.
        spec_hash: Content hash of `spec`.
        upstream: The materialization whose rows it read last; None unless it belongs to a Dagster component, which
            decides when it runs.
    """

    id: str
    experiment_name: str
    description: str | None
    prediction_target: str | None
    created_by: str | None
    spec: dict[str, Any]
    spec_hash: str
    is_active: bool
    from_file: bool
    upstream: dict[str, Any] | None
    retired_at: datetime | None
    created_at: datetime
    updated_at: datetime


_REGISTER = sa.text(
    "INSERT INTO ml_experiments (experiment_name, description, prediction_target, created_by, spec, spec_hash, "
    "from_file, upstream) VALUES "
    "(:experiment_name, :description, :prediction_target, :created_by, :spec, :spec_hash, :from_file, :upstream) "
    "ON CONFLICT (experiment_name) DO UPDATE SET description = excluded.description, "
    "prediction_target = excluded.prediction_target, created_by = excluded.created_by, spec = excluded.spec, "
    "spec_hash = excluded.spec_hash, from_file = ml_experiments.from_file OR excluded.from_file, is_active = true, "
    "upstream = excluded.upstream, retired_at = NULL RETURNING id::text"
)
_LIST = sa.text(
    f"SELECT {columns(ExperimentRow)} FROM ml_experiments WHERE is_active OR :retired_too ORDER BY experiment_name"
)
_GET = sa.text(f"SELECT {columns(ExperimentRow)} FROM ml_experiments WHERE experiment_name = :name")
_RETIRE = sa.text(
    "UPDATE ml_experiments SET is_active = false, retired_at = coalesce(retired_at, now()) "
    "WHERE experiment_name = :name RETURNING id"
)
_IS_RETIRED = sa.text("SELECT NOT is_active FROM ml_experiments WHERE experiment_name = :experiment_name")
# The decisions stay, so the champion of an experiment that comes back is that of its last promotion.
_WITHDRAW_CHAMPION = sa.text("""
    UPDATE ml_model_registry SET is_champion = false WHERE is_champion AND id IN (
        SELECT model_registry_id FROM ml_training_runs WHERE experiment_id = :experiment_id
    )
""")
_RESTORE_CHAMPION = sa.text("""
    UPDATE ml_model_registry SET is_champion = true WHERE model_key = (
        SELECT challenger_key FROM ml_champion_decisions WHERE experiment_id = :experiment_id AND promoted
        ORDER BY decided_at DESC LIMIT 1
    )
""")


@dataclass(frozen=True, slots=True)
class ExperimentRepository:
    """Reads and writes registered experiments."""

    database: Database

    def register(
        self,
        name: str,
        spec: Mapping[str, Any],
        description: str | None = None,
        prediction_target: str | None = None,
        created_by: str | None = None,
        from_file: bool = False,
        upstream: Mapping[str, Any] | None = None,
    ) -> str:
        """Insert or update an experiment and return its id; a retired one becomes active again, with its champion.

        An experiment that ever came from a file is retired when the file is deleted. One with `upstream` belongs to a
        Dagster component.
        """
        values = _values(name, spec, description, prediction_target, created_by, from_file, upstream)
        with self.database.begin() as connection:
            return _registered(connection, values)

    def register_experiment(self, experiment: Experiment) -> str:
        """Register the experiment of a file and return its id."""
        with self.database.begin() as connection:
            return _registered(connection, _of_file(experiment))

    def register_experiments(self, experiments: Sequence[Experiment]) -> None:
        """Register the experiments of several files in one transaction."""
        with self.database.begin() as connection:
            for experiment in experiments:
                _registered(connection, _of_file(experiment))

    def get(self, name: str) -> ExperimentRow | None:
        """Return an experiment, retired or not; None if the name is not registered."""
        with self.database.connect() as connection:
            return one(ExperimentRow, connection.execute(_GET, {"name": name}))

    def id_of(self, name: str) -> str:
        """Return the id of an experiment.

        Raises:
            ExperimentNotRegistered: No experiment has this name.
        """
        row = self.get(name)
        if row is None:
            raise _not_registered(name)
        return row.id

    def list(self, retired_too: bool = False) -> list[ExperimentRow]:
        """Return the active experiments, and the retired ones with `retired_too`, ordered by name."""
        with self.database.connect() as connection:
            return every(ExperimentRow, connection.execute(_LIST, {"retired_too": retired_too}))

    def watched(self, retired_too: bool = False) -> Sequence[ExperimentRow]:
        """Return what `list` returns without the experiments of components, which sensors and schedules leave alone."""
        return [row for row in self.list(retired_too) if row.upstream is None]

    def retire(self, name: str) -> None:
        """Retire an experiment: it has no model in use any more. Its studies, models and decisions stay.

        Raises:
            ExperimentNotRegistered: No experiment has this name.
        """
        with self.database.begin() as connection:
            found = connection.execute(_RETIRE, {"name": name}).scalar_one_or_none()
            if found is None:
                raise _not_registered(name)
            connection.execute(_WITHDRAW_CHAMPION, {"experiment_id": found})


def _registered(connection: sa.Connection, values: Mapping[str, Any]) -> str:
    was_retired = connection.execute(_IS_RETIRED, values).scalar_one_or_none()
    found = str(connection.execute(_REGISTER, values).scalar_one())
    if was_retired:
        connection.execute(_RESTORE_CHAMPION, {"experiment_id": found})
    return found


def _not_registered(name: str) -> ExperimentNotRegistered:
    return ExperimentNotRegistered(f"No experiment is registered as {name!r}. `e2i experiment list` lists them.")


def _of_file(experiment: Experiment) -> dict[str, Any]:
    return _values(
        experiment.name,
        experiment.model_dump(mode="json"),
        experiment.description,
        experiment.target_name,
        experiment.owner,
        from_file=True,
    )


def _values(
    name: str,
    spec: Mapping[str, Any],
    description: str | None,
    prediction_target: str | None,
    created_by: str | None,
    from_file: bool,
    upstream: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "experiment_name": name,
        "description": description,
        "prediction_target": prediction_target,
        "created_by": created_by,
        "spec": document(spec),
        "spec_hash": content_hash(spec),
        "from_file": from_file,
        "upstream": None if upstream is None else document(upstream),
    }
