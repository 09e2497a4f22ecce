"""Sees to it that the schemas of Optuna, MLflow and Dagster hold their tables before anything uses them.

Each library creates its tables when it first connects, and loses when several processes do so at once. So it is done
here, once, under the lock of `migrations`, and again only when the version of a library has changed.
"""

import os
import subprocess
import sys
from importlib.metadata import version

import sqlalchemy as sa

from e2i_assets.adapters.postgres.address import Owner, without_secrets
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.core.errors import E2iError

_OWNERS: tuple[Owner, ...] = ("mlflow", "dagster", "optuna")
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DAGSTER_DISABLE_TELEMETRY": "1"}

_PREPARED = sa.text("SELECT owner, library_version, revision FROM e2i.schema_owners")
_RECORD = sa.text(
    "INSERT INTO e2i.schema_owners (owner, library_version, revision) VALUES (:owner, :library_version, :revision) "
    "ON CONFLICT (owner) DO UPDATE SET library_version = excluded.library_version, revision = excluded.revision, "
    "prepared_at = now()"
)


class OwnerNotPrepared(E2iError):
    """A library that could not create or upgrade its tables."""


def prepare_owners(database: Database) -> tuple[Owner, ...]:
    """Create or upgrade the tables of the owners that need it and return those owners.

    Raises:
        OwnerNotPrepared: With the last words of the library.
    """
    outdated = outdated_owners(database)
    if not outdated:
        return ()
    _prepare(database, outdated)
    with database.begin() as connection:
        for owner in outdated:
            values = {"owner": owner, "library_version": version(owner), "revision": _revision(database, owner)}
            connection.execute(_RECORD, values)
    return tuple(outdated)


def outdated_owners(database: Database) -> list[Owner]:
    """Return the owners whose tables are missing, or were prepared by another version of their library.

    It reads what was recorded last time and imports none of the libraries.
    """
    with database.connect() as connection:
        recorded = {owner: (library, revision) for owner, library, revision in connection.execute(_PREPARED)}
    wanted = {owner: (version(owner), _revision(database, owner)) for owner in _OWNERS}
    return [owner for owner in _OWNERS if recorded.get(owner) != wanted[owner]]


def _revision(database: Database, owner: Owner) -> str | None:
    """The revision that the owner's own migrations have recorded, if they ever ran."""
    table = f"{owner}.alembic_version"
    with database.connect() as connection:
        if not connection.execute(sa.text("SELECT to_regclass(:table) IS NOT NULL"), {"table": table}).scalar_one():
            return None
        revision: str | None = connection.execute(sa.text(f"SELECT max(version_num) FROM {table}")).scalar_one()
        return revision


def _prepare(database: Database, owners: list[Owner]) -> None:
    """Run the preparation program; it ends with this call at the latest."""
    ended = subprocess.run(
        [sys.executable, "-m", "e2i_assets.adapters.postgres.schema_preparation", *owners],
        input=database.url,
        capture_output=True,
        text=True,
        env={**os.environ, **_QUIET},
        check=False,
    )
    if ended.returncode:
        last_words = "\n".join(without_secrets(ended.stderr, database.url).strip().splitlines()[-5:])
        raise OwnerNotPrepared(
            f"The tables of {', '.join(owners)} could not be prepared in {database.redacted}. If they were made by a "
            f"newer version of these libraries, update them here. The last lines:\n{last_words}"
        )
