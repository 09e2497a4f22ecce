"""Dagster's home in the state folder, where its programs find the project's `dagster.yaml`, and the instance in it."""

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
    """Check that the project folder has the files that configure Dagster, before a command begins its work.

    Raises:
        E2iError: One of them is missing.
    """
    for name in names or (_FILE,):
        if not (settings.root / name).is_file():
            raise E2iError(
                f"{settings.root} has no {name}, which configures Dagster: copy the file from the checkout of "
                f"e2i_assets into that folder, or set {HOME} to a folder that has it"
            )


def dagster_home(settings: Settings) -> Path:
    """Make Dagster's home what the project's ``dagster.yaml`` says today, and return it.

    The folders in it are the one thing that changes: they lie in the state folder, wherever that is.

    Raises:
        E2iError: The project folder has no ``dagster.yaml``.
    """
    require_dagster_files(settings)
    home = settings.state / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    settled = yaml.safe_load((settings.root / _FILE).read_text(encoding="utf-8"))
    settled["local_artifact_storage"]["config"]["base_dir"] = str(home)
    settled["compute_logs"]["config"]["base_dir"] = str(home / "logs")
    # Runs that start at once write it at once: each a file of its own, of which the last one stays.
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=home, prefix=f".{_FILE}.", delete=False) as partial:
        yaml.safe_dump(settled, partial)
    Path(partial.name).replace(home / _FILE)
    return home


def dagster_instance(settings: Settings) -> "dg.DagsterInstance":
    """Open the instance that `dagster.yaml` describes, with the pool of the studies made.

    Dagster makes a pool when its first step asks for it, and on PostgreSQL the second of two runs that do so at once
    fails: the mend that it tries stands in the transaction that has just been broken off.
    """
    import dagster as dg

    from e2i_assets.defs.assets import STUDIES

    instance = dg.DagsterInstance.from_config(str(dagster_home(settings)))
    storage = instance.event_log_storage
    with database(settings).advisory_lock("pools of Dagster"):
        if STUDIES not in {pool.name for pool in storage.get_pool_limits()}:
            storage.initialize_concurrency_limit_to_default(STUDIES)
    return instance
