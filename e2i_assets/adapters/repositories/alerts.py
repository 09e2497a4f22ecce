"""Which causes of failure were told when: the table `ml_alerts`."""

from dataclasses import dataclass

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database

# One statement, so that of several daemons exactly one tells.
_CLAIM = sa.text("""
    INSERT INTO ml_alerts AS alert (cause, told_at, last_text) VALUES (:cause, clock_timestamp(), :text)
    ON CONFLICT (cause) DO UPDATE SET
        told_at = clock_timestamp(), times = alert.times + 1, last_text = excluded.last_text
    WHERE alert.told_at <= clock_timestamp() - make_interval(secs => :pause)
    RETURNING untold
""")
_COUNT = sa.text("UPDATE ml_alerts SET times = times + 1, untold = untold + 1, last_text = :text WHERE cause = :cause")
_TOLD = sa.text("UPDATE ml_alerts SET untold = 0 WHERE cause = :cause")
_RELEASE = sa.text("UPDATE ml_alerts SET told_at = '-infinity', untold = untold + 1 WHERE cause = :cause")

PAUSE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class AlertRepository:
    """Reads and writes alerts."""

    database: Database
    pause_seconds: float = PAUSE_SECONDS

    def claim(self, cause: str, text: str) -> int | None:
        """Take it on oneself to tell of a cause.

        Returns:
            How often it came without being told since it last was; None when it was told within the pause.
        """
        values = {"cause": cause, "text": text, "pause": self.pause_seconds}
        with self.database.begin() as connection:
            unsynced = connection.execute(_CLAIM, values).scalar_one_or_none()
            connection.execute(_COUNT if unsynced is None else _TOLD, {"cause": cause, "text": text})
        return None if unsynced is None else int(unsynced)

    def release(self, cause: str) -> None:
        """Say that a cause that was claimed could not be told after all."""
        with self.database.begin() as connection:
            connection.execute(_RELEASE, {"cause": cause})
