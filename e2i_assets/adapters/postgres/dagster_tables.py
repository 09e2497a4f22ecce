"""What Dagster's own tables say, for those who would have to load Dagster for seconds to ask it."""

from datetime import UTC, datetime

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database

# Dagster writes the time of a heartbeat in UTC, without saying so.
_BEATS = sa.text("SELECT EXISTS (SELECT FROM dagster.daemon_heartbeats WHERE timestamp >= :since)")
_PARTITIONS = sa.text("SELECT partition FROM dagster.dynamic_partitions WHERE partitions_def_name = :definition")


def daemon_beats(database: Database, since: datetime) -> bool:
    """Return whether a daemon has been at work since a moment (with a time zone); it answers on no port."""
    with database.connect() as connection:
        return bool(connection.execute(_BEATS, {"since": since.astimezone(UTC).replace(tzinfo=None)}).scalar_one())


def dynamic_partitions(database: Database, definition: str) -> set[str]:
    """Return the keys of a dynamic partitions definition."""
    with database.connect() as connection:
        return set(connection.execute(_PARTITIONS, {"definition": definition}).scalars())
