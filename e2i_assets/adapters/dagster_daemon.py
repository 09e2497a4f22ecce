"""Whether Dagster's daemon works, told by the heartbeats that it leaves in its schema; it answers on no port."""

from datetime import UTC, datetime

import sqlalchemy as sa

from e2i_assets.adapters.database import Database

# Dagster writes the time of a heartbeat in UTC, without saying so.
_BEATS = sa.text("SELECT EXISTS (SELECT FROM dagster.daemon_heartbeats WHERE timestamp >= :since)")


def daemon_beats(database: Database, since: datetime) -> bool:
    """Return whether a daemon has been at work since a moment (with a time zone)."""
    with database.connect() as connection:
        return bool(connection.execute(_BEATS, {"since": since.astimezone(UTC).replace(tzinfo=None)}).scalar_one())
