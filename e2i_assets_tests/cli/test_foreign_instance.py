"""Two code locations on the Dagster instance of a platform, which owns assets called `dataset` and `trained_model`."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.services.project import Project

PLATFORM = """\
import dagster as dg

@dg.asset
def dataset():
    return 1

@dg.asset
def trained_model(dataset):
    return dataset

defs = dg.Definitions(assets=[dataset, trained_model])
"""
QUERY = """{
    assetNodeDefinitionCollisions(assetKeys: [
        {path: ["dataset"]}, {path: ["trained_model"]}
    ]) { assetKey { path } }
    assetNodes { assetKey { path } dependencyKeys { path } repository { location { name } } }
}"""


@pytest.fixture
def home(tmp_path: Path, empty_database: Database) -> Path:
    """Dagster's home of the platform, with its own PostgreSQL and its workspace."""
    url = sa.make_url(empty_database.url)
    server: dict[str, Any] = {
        # SQLAlchemy 2.1 takes psycopg 3 for the default scheme, and Dagster needs psycopg2.
        "scheme": "postgresql+psycopg2",
        "username": url.username,
        "password": url.password,
        "hostname": url.host,
        "port": url.port,
        "db_name": url.database,
    }
    home = tmp_path / "platform"
    home.mkdir()
    (home / "dagster.yaml").write_text(yaml.safe_dump({"storage": {"postgres": {"postgres_db": server}}}))
    (home / "platform_assets.py").write_text(PLATFORM)
    ours = {"python_module": {"module_name": "e2i_assets.definitions", "location_name": "ours"}}
    theirs = {"python_file": {"relative_path": str(home / "platform_assets.py"), "location_name": "theirs"}}
    (home / "workspace.yaml").write_text(yaml.safe_dump({"load_from": [ours, theirs]}))
    return home


def asked(home: Path, prefix: str) -> tuple[dict[str, Any], str]:
    """Load both code locations, and return the answer to the query with what was logged."""
    program = "from dagster_graphql.cli import main; main()"
    command = [sys.executable, "-c", program, "-w", str(home / "workspace.yaml"), "-t", QUERY]
    environment = {**os.environ, "E2I_KEY_PREFIX": prefix, "DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "1"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    # The code servers log to the same stream.
    (answer,) = re.findall(r'^\{"data".*$|^\{\n.*^\}$', ended.stdout, re.MULTILINE | re.DOTALL)
    found: dict[str, Any] = json.JSONDecoder().raw_decode(answer)[0]["data"]
    return found, ended.stdout + ended.stderr


def upstream(found: dict[str, Any], location: str) -> dict[str, set[str]]:
    """Return the upstream assets of each asset of a code location."""
    return {
        "/".join(node["assetKey"]["path"]): {"/".join(key["path"]) for key in node["dependencyKeys"]}
        for node in found["assetNodes"]
        if node["repository"]["location"]["name"] == location
    }


@pytest.mark.processes
@pytest.mark.usefixtures("project")
def test_with_a_prefix_both_lineages_are_right_and_no_key_is_defined_twice(home: Path, project: Project) -> None:
    assert project.settings.key_prefix == ()
    found, logged = asked(home, "ml")
    assert found["assetNodeDefinitionCollisions"] == []
    assert upstream(found, "theirs") == {"dataset": set(), "trained_model": {"dataset"}}
    ours = upstream(found, "ours")
    assert len(ours) == 11
    assert ours["ml/dataset"] == set()
    inputs = ("dataset", "validation_splits", "hpo_study", "best_hyperparameters")
    assert ours["ml/trained_model"] == {f"ml/{name}" for name in inputs}
    # The instance of the platform lacks what our dagster.yaml sets, and the code location says so.
    assert "concurrency.runs.tag_concurrency_limits" in logged


@pytest.mark.processes
@pytest.mark.usefixtures("project")
def test_without_a_prefix_dagster_reports_the_keys_that_both_define(home: Path) -> None:
    found, _ = asked(home, "")
    assert {tuple(one["assetKey"]["path"]) for one in found["assetNodeDefinitionCollisions"]} == {
        ("dataset",), ("trained_model",)
    }  # fmt: skip
