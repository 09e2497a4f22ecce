"""Dagster's home in the state folder: where its programs find the settings of the project's `dagster.yaml`."""

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
    partial = home / f"{_FILE}.partial"
    partial.write_text(yaml.safe_dump(settled), encoding="utf-8")
    partial.replace(home / _FILE)
    return home
