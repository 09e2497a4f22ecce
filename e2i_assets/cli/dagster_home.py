"""Dagster's home in the state folder, with its `dagster.yaml`, and the Dagster instance in it."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from e2i_assets.adapters.package_data import package_data
from e2i_assets.adapters.postgres.server import database
from e2i_assets.adapters.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

_FILE = "dagster.yaml"


def configuration_file(settings: Settings, name: str) -> Path:
    """Return the path of a configuration file of Dagster: that of the project folder, otherwise the shipped one."""
    own = settings.root / name
    return own if own.is_file() else package_data(name)


def dagster_home(settings: Settings) -> Path:
    """Create Dagster's home or bring it up to date with ``dagster.yaml``, and return its path.

    Only the folders in the file change: they become folders of the state folder.
    """
    home = settings.state / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    configuration = yaml.safe_load(configuration_file(settings, _FILE).read_text(encoding="utf-8")) or {}
    for part, folder in (("local_artifact_storage", home), ("compute_logs", home / "logs")):
        options = configuration.get(part, {}).get("config", {})
        if "base_dir" in options:
            options["base_dir"] = str(folder)
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

    from e2i_assets.defs.search_assets import STUDIES

    instance = dg.DagsterInstance.from_config(str(dagster_home(settings)))
    storage = instance.event_log_storage
    with database(settings).advisory_lock("pools of Dagster"):
        if STUDIES not in {pool.name for pool in storage.get_pool_limits()}:
            storage.initialize_concurrency_limit_to_default(STUDIES)
    return instance
