"""The database that this process works on: the one at the given address, else the embedded one, held while it lives."""

import os
from functools import cache
from pathlib import Path

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.embedded_postgres import EmbeddedPostgres, ServerLease
from e2i_assets.adapters.postgres.shell_variables import remove_shell_variables
from e2i_assets.adapters.settings import Settings


def database(settings: Settings) -> Database:
    """Return the database, starting the embedded server when no address is configured."""
    return Database(settings.database_url or _hold(settings.state / "postgres").url)


@cache
def _hold(folder: Path) -> ServerLease:
    """Hold the embedded server until this process ends: the kernel lets go of its lock then, however it ends.

    Dagster, MLflow and Optuna connect by the address alone, so the variables of libpq that an address cannot override
    leave this process, and with it every process that it starts.
    """
    remove_shell_variables(os.environ)
    return EmbeddedPostgres(folder).hold()
