"""The database of this process: the configured one, or the embedded one, which is held while the process lives."""

import os
from functools import cache
from pathlib import Path

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.embedded_postgres import EmbeddedPostgres, ServerLease
from e2i_assets.adapters.postgres.shell_variables import remove_shell_variables
from e2i_assets.adapters.settings import Settings


def database(settings: Settings) -> Database:
    """Return the database; start the embedded server if no address is configured."""
    return Database(settings.database_url or _hold(settings.state / "postgres").url)


@cache
def _hold(folder: Path) -> ServerLease:
    """Hold the embedded server until this process ends in any way: the kernel then frees its lock.

    Dagster, MLflow and Optuna connect by the address alone, so this removes the libpq variables that an address cannot
    override from the environment of this process and of its child processes.
    """
    remove_shell_variables(os.environ)
    return EmbeddedPostgres(folder).hold()
