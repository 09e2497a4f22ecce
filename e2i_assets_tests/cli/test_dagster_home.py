"""Dagster's home: every program that starts writes it from the project."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from e2i_assets.adapters.settings import Settings
from e2i_assets.cli.dagster_home import dagster_home


def test_programs_that_start_concurrently_all_get_a_home(tmp_path: Path) -> None:
    """Two runs of one `e2i run` deleted each other's incomplete file before."""
    settings = Settings(root=tmp_path, state=tmp_path / "state")
    with ThreadPoolExecutor(8) as pool:
        (home,) = set(pool.map(lambda _: dagster_home(settings), range(80)))
    assert [path.name for path in home.iterdir()] == ["dagster.yaml"]
    settled = yaml.safe_load((home / "dagster.yaml").read_text())
    assert settled["local_artifact_storage"]["config"]["base_dir"] == str(home)
