"""Ensures that the schemas of Optuna, MLflow and Dagster have their tables before anything uses them.

Each library creates its tables at its first connection, which fails when several processes do so at once. So they are
created here, once, under the lock of `migrations`, and upgraded only when the version of a library has changed.
"""

import os
import subprocess
import sys

import sqlalchemy as sa

from e2i_assets.adapters.library_versions import library_version
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
    """A library could not create or upgrade its tables."""


def prepare_owners(database: Database) -> tuple[Owner, ...]:
    """Create or upgrade the tables of the libraries that need it, and return those libraries.

    Raises:
        OwnerNotPrepared: A library failed; the message has the end of its output.
    """
    outdated = outdated_owners(database)
    if not outdated:
        return ()
    _prepare(database, outdated)
    with database.begin() as connection:
        for owner in outdated:
            values = {"owner": owner, "library_version": library_version(owner), "revision": _revision(database, owner)}
            connection.execute(_RECORD, values)
    return tuple(outdated)


def outdated_owners(database: Database) -> list[Owner]:
    """Return the libraries whose tables are missing or were prepared by another version.

    It reads what the last preparation recorded, and does not import the libraries.
    """
    with database.connect() as connection:
        recorded = {owner: (library, revision) for owner, library, revision in connection.execute(_PREPARED)}
    wanted = {owner: (library_version(owner), _revision(database, owner)) for owner in _OWNERS}
    return [owner for owner in _OWNERS if recorded.get(owner) != wanted[owner]]


def _revision(database: Database, owner: Owner) -> str | None:
    """Return the revision that the library's own migrations have recorded, or None if they never ran."""
    table = f"{owner}.alembic_version"
    with database.connect() as connection:
        if not connection.execute(sa.text("SELECT to_regclass(:table) IS NOT NULL"), {"table": table}).scalar_one():
            return None
        revision: str | None = connection.execute(sa.text(f"SELECT max(version_num) FROM {table}")).scalar_one()
        return revision


def _prepare(database: Database, owners: list[Owner]) -> None:
    """Run the preparation program and wait for its end."""
    ended = subprocess.run(
        [sys.executable, "-m", "e2i_assets.adapters.postgres.schema_preparation", *owners],
        input=database.url,
        capture_output=True,
        text=True,
        env={**os.environ, **_QUIET},
        check=False,
    )
    if ended.returncode:
        last_lines = "\n".join(without_secrets(ended.stderr, database.url).strip().splitlines()[-5:])
        raise OwnerNotPrepared(
            f"The tables of {', '.join(owners)} could not be prepared in {database.redacted}. If a newer version of "
            f"these libraries created them, update the libraries here. The last lines:\n{last_lines}"
        )
