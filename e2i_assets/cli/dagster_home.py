"""Dagster's home in the state folder: where its programs find the settings of the project's `dagster.yaml`."""

import tempfile
from pathlib import Path

import yaml

from e2i_assets.adapters.settings import Settings

_FILE = "dagster.yaml"


def dagster_home(settings: Settings) -> Path:
    """Make Dagster's home what the project's ``dagster.yaml`` says today, and return it.

    The folders in it are the one thing that changes: they lie in the state folder, wherever that is.
    """
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
