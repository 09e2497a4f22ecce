"""Dagster's home in the state folder, with the project's `dagster.yaml`, and the Dagster instance in it."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from e2i_assets.adapters.postgres.server import database
from e2i_assets.adapters.settings import HOME, Settings
from e2i_assets.core.errors import E2iError

if TYPE_CHECKING:
    import dagster as dg

_FILE = "dagster.yaml"


def require_dagster_files(settings: Settings, *names: str) -> None:
    """Check that the project folder has Dagster's configuration files, before a command starts its work.

    Raises:
        E2iError: A file is missing.
    """
    for name in names or (_FILE,):
        if not (settings.root / name).is_file():
            raise E2iError(
                f"{settings.root} has no {name}, which configures Dagster: copy the file from the checkout of "
                f"e2i_assets into that folder, or set {HOME} to a folder that has it"
            )


def dagster_home(settings: Settings) -> Path:
    """Create Dagster's home or bring it up to date with the project's ``dagster.yaml``, and return its path.

    Only the folders in the file change: they become folders of the state folder.

    Raises:
        E2iError: The project folder has no ``dagster.yaml``.
    """
    require_dagster_files(settings)
    home = settings.state / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    configuration = yaml.safe_load((settings.root / _FILE).read_text(encoding="utf-8"))
    configuration["local_artifact_storage"]["config"]["base_dir"] = str(home)
    configuration["compute_logs"]["config"]["base_dir"] = str(home / "logs")
    # Concurrent runs write this file. Each writes a temporary file and renames it, so no run reads a partial file.
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=home, prefix=f".{_FILE}.", delete=False) as partial:
        yaml.safe_dump(configuration, partial)
    Path(partial.name).replace(home / _FILE)
    return home


def dagster_instance(settings: Settings) -> "dg.DagsterInstance":
    """Open the instance that `dagster.yaml` describes, after creating the concurrency pool of the studies.

    Dagster creates a pool when its first step asks for a slot. On PostgreSQL, the second of two runs that do so
    concurrently fails, because Dagster handles the conflict inside the transaction that the conflict has aborted.
    """
    import dagster as dg

    from e2i_assets.defs.assets import STUDIES

    instance = dg.DagsterInstance.from_config(str(dagster_home(settings)))
    storage = instance.event_log_storage
    with database(settings).advisory_lock("pools of Dagster"):
        if STUDIES not in {pool.name for pool in storage.get_pool_limits()}:
            storage.initialize_concurrency_limit_to_default(STUDIES)
    return instance
