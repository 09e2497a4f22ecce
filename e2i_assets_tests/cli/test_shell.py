"""The command line in an unusual shell: no user name, no home, no terminal width, settings of other servers."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

NOBODY_KNOWS = 54321
# As root, an account with read access to the files of root; as an ordinary user, an account in a new namespace.
_AS_ROOT = f"""
    setpriv --reuid={NOBODY_KNOWS} --regid={NOBODY_KNOWS} --clear-groups
    --inh-caps=+dac_override,+dac_read_search --ambient-caps=+dac_override,+dac_read_search
"""
_AS_USER = f"unshare --user --map-user={NOBODY_KNOWS} --map-group={NOBODY_KNOWS}"
AS_NAMELESS = (_AS_USER if os.geteuid() else _AS_ROOT).split()
OF_ANOTHER_SERVER = {
    "PGHOSTADDR": "192.0.2.1",
    "PGSERVICE": "another_server",
    "PGOPTIONS": "-c no_such_setting=1",
    "PGPASSFILE": "/nowhere/pgpass",
    "PGSSLMODE": "require",
    "PGCHANNELBINDING": "require",
    "PGREQUIREAUTH": "none",
    "PGTARGETSESSIONATTRS": "standby",
    "PGTZ": "America/New_York",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A project folder that every account may write to."""
    path = Path(tempfile.mkdtemp(prefix="e2i-shell-"))
    path.chmod(0o777)
    (path / "experiments").mkdir()
    yield path
    deadline = time.monotonic() + 20
    while list(path.glob(".e2i/postgres/data/postmaster.pid")) and time.monotonic() < deadline:
        time.sleep(0.05)
    shutil.rmtree(path)


def e2i(folder: Path, environment: Mapping[str, str], *words: str) -> str:
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("E2I_", "PG"))}
    ended = subprocess.run(
        [*AS_NAMELESS, sys.executable, "-m", "e2i_assets.cli.main", *words],
        env={**bare, "E2I_HOME": str(folder), "HOME": "/dev/null/nowhere", "COLUMNS": "0", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.drill  # three quarters of a minute
def test_commands_work_without_a_user_name_and_with_settings_of_another_server(folder: Path) -> None:
    """`migrate` starts programs of Optuna, MLflow and Dagster, `psql` and `backup` those of PostgreSQL."""
    prepared = e2i(folder, OF_ANOTHER_SERVER, "db", "migrate")
    assert "prepared the tables of dagster" in prepared
    assert (folder / ".e2i" / "postgres" / "data").stat().st_uid in (NOBODY_KNOWS, os.geteuid())
    session = "SELECT current_user || ' ' || current_setting('TimeZone')"
    assert e2i(folder, OF_ANOTHER_SERVER, "db", "psql", "--", "-Atc", session).strip() == "e2i_worker UTC"
    e2i(folder, OF_ANOTHER_SERVER, "db", "backup", str(folder / "kept.dump"))
    e2i(folder, OF_ANOTHER_SERVER, "db", "restore", str(folder / "kept.dump"), "--replace")


def test_help_is_printed_on_a_terminal_without_a_width(folder: Path) -> None:
    assert "e2i experiment list" in e2i(folder, {}, "--help")
