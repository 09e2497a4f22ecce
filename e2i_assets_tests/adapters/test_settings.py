"""Settings: the environment, read once and validated."""

import re
from pathlib import Path

import pytest

from e2i_assets.adapters.environment_values import cores, time_zone
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings, from_environment
from e2i_assets.core.errors import E2iError
from e2i_assets.services.project import opened

ROOT = Path(__file__).parents[2]


def test_the_cores_are_those_that_the_environment_gives_or_the_process_has():
    assert from_environment({"E2I_HOME": str(ROOT), "E2I_CORES": "3"}).cores == 3
    assert from_environment({"E2I_HOME": str(ROOT)}).cores >= 1


@pytest.mark.parametrize("given", ["0", "-1", "two", "1.5", "²", "9" * 10, "9" * 5000])
def test_a_number_of_cores_that_is_none_is_an_error(given):
    with pytest.raises(E2iError, match="whole number, at least 1"):
        cores({"E2I_CORES": given})


@pytest.mark.parametrize("given", ["9" * 400, "1e3"])
def test_a_lease_that_is_no_number_is_an_error(given: str) -> None:
    with pytest.raises(E2iError, match=r"E2I_LEASE_SECONDS is .* a whole number"):
        from_environment({"E2I_HOME": str(ROOT), "E2I_LEASE_SECONDS": given})


@pytest.mark.parametrize("variable", ["E2I_MLFLOW_URL", "E2I_DAGSTER_URL", "E2I_MLFLOW_TRACKING_URI"])
@pytest.mark.parametrize("given", ["http://me:hunter2@[::1", "http://me:hunter2/rest@host", "http://me:1/hunter2@host"])
def test_an_address_that_is_none_is_an_error_that_does_not_repeat_it(variable: str, given: str) -> None:
    with pytest.raises(E2iError, match=f"{variable} is not a valid address") as raised:
        from_environment({"E2I_HOME": str(ROOT), variable: given})
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(("given", "drawn"), [("", True), ("on", True), ("off", False), (" OFF ", False)])
def test_pictures_are_drawn_unless_they_are_switched_off(given: str, drawn: bool) -> None:
    assert from_environment({"E2I_HOME": str(ROOT), "E2I_PICTURES": given}).pictures is drawn


def test_a_switch_that_is_neither_on_nor_off_is_an_error() -> None:
    with pytest.raises(E2iError, match="E2I_PICTURES is 'no': it must be on or off"):
        from_environment({"E2I_HOME": str(ROOT), "E2I_PICTURES": "no"})


@pytest.mark.parametrize("given", ["Europe", "../Paris", "a" * 300, "Middle/Earth"])
def test_a_time_zone_that_is_none_is_an_error(given: str) -> None:
    with pytest.raises(E2iError, match="the name of a time zone"):
        time_zone({"E2I_TIME_ZONE": given})


@pytest.mark.parametrize(
    ("environment", "opened"),
    [
        ({}, "http://127.0.0.1:5000"),
        ({"E2I_MLFLOW_TRACKING_URI": "postgresql://me:hunter2@host/mlflow"}, "http://127.0.0.1:5000"),
        ({"E2I_MLFLOW_TRACKING_URI": "https://me:hunter2@mlflow.example.org/"}, "https://mlflow.example.org"),
        (
            {"E2I_MLFLOW_TRACKING_URI": "http://inside:5000", "E2I_MLFLOW_URL": "https://outside.example.org/mlflow/"},
            "https://outside.example.org/mlflow",
        ),
    ],
)
def test_links_lead_to_where_a_browser_finds_mlflow_and_hold_no_password(
    environment: dict[str, str], opened: str
) -> None:
    found = from_environment(environment)
    assert found.mlflow_url == opened
    assert "hunter2" not in repr(found)


def test_rows_lie_in_folders_of_this_account_alone_and_an_opened_folder_stays_open(tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "reports").mkdir(parents=True)
    (state / "reports").chmod(0o755)
    opened(Settings(root=tmp_path, state=state), Database("postgresql://127.0.0.1:1/none"))
    modes = {folder.name: folder.stat().st_mode & 0o777 for folder in state.iterdir()}
    assert modes.pop("reports") == 0o755
    assert {"assets", "models", "champions", "mlflow-artifacts", "mlflow-outbox", "logs"} == set(modes)
    assert set(modes.values()) == {0o700}


@pytest.mark.parametrize(
    ("variable", "given", "rule"),
    [
        ("E2I_CORES", "1_0", "a whole number"),
        ("E2I_LEASE_SECONDS", "+3", "a whole number"),
        ("E2I_SCAN_SECONDS", "0", "at least 1"),
        ("E2I_AUTOMATION", "nein", "on or off"),
        ("E2I_TIME_ZONE", "Europe", "the name of a time zone"),
    ],
)
def test_reading_the_settings_names_the_variable_that_is_wrong_and_what_is_allowed(
    variable: str, given: str, rule: str
) -> None:
    with pytest.raises(E2iError, match=rf"{variable} is '{re.escape(given)}'.*{rule}"):
        from_environment({"E2I_HOME": str(ROOT), variable: given})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("ftp://models/e2i", "E2I_STATE starts with ftp:.*a folder, file:///FOLDER, s3://BUCKET/PREFIX, gs://"),
        ("s3:models", "E2I_STATE starts with s3:, which is no address"),
        ("file://host/folder", "E2I_STATE starts with file:, which is no address"),
        ("s3://", "must be s3://BUCKET/PREFIX"),
        ("s3://models/../other", "must be s3://BUCKET/PREFIX"),
        ("s3://key:hunter2@models/e2i", "Credentials do not belong into it"),
        ("gs://models/e2i", r"the packages of the extra gcs \(gcsfs, .*pip install 'e2i_assets\[gcs\]'"),
        ("abfs://models@account.dfs.core.windows.net/e2i", r"pip install 'e2i_assets\[azure\]'"),
    ],
)
def test_an_address_that_cannot_be_a_state_is_refused_with_what_can(given: str, message: str) -> None:
    """A folder called `s3:` was made, and everything was kept in it."""
    with pytest.raises(E2iError, match=message) as refused:
        from_environment({"E2I_HOME": str(ROOT), "E2I_STATE": given, "E2I_DATABASE_URL": "postgresql://u@h/d"})
    assert "hunter2" not in str(refused.value)


def test_a_state_in_object_storage_needs_a_database_that_other_machines_reach() -> None:
    with pytest.raises(E2iError, match="E2I_DATABASE_URL is not set: the embedded PostgreSQL would keep one half"):
        from_environment({"E2I_HOME": str(ROOT), "E2I_STATE": "s3://models/e2i"})


def test_a_state_in_object_storage_leaves_a_folder_of_this_machine_for_the_rest(tmp_path: Path) -> None:
    shell = {"E2I_HOME": str(ROOT), "E2I_STATE": "S3://models/e2i/", "E2I_DATABASE_URL": "postgresql://u@h/d"}
    found = from_environment({**shell, "E2I_SCRATCH": str(tmp_path)})
    assert (found.state, found.address) == (tmp_path, "s3://models/e2i")
    assert found.artifacts == "s3://models/e2i/mlflow-artifacts"
    told = found.child_environment("postgresql://worker@h/d")
    assert (told["E2I_STATE"], told["E2I_SCRATCH"]) == ("s3://models/e2i", str(tmp_path))
    assert from_environment(shell).state == ROOT / ".e2i"


def test_an_address_of_a_folder_is_the_folder(tmp_path: Path) -> None:
    place = tmp_path / "with space"
    found = from_environment({"E2I_HOME": str(ROOT), "E2I_STATE": place.as_uri()})
    assert (found.state, found.address) == (place, None)


def test_a_child_process_gets_the_project_the_database_and_what_its_parent_has() -> None:
    shell = {
        "E2I_HOME": str(ROOT),
        "E2I_STATE": "elsewhere",
        "PATH": "/bin",
        "CLINIC_URL": "postgresql://u:hunter2@h/d",
    }
    found = from_environment({**shell, "PGSERVICE": "of_another", "PGPASSFILE": "/pgpass"})
    told = found.child_environment("postgresql://worker@h/d", E2I_CORES="2")
    assert told == {
        **shell,
        "E2I_STATE": str(ROOT / "elsewhere"),
        "E2I_DATABASE_URL": "postgresql://worker@h/d",
        "E2I_CORES": "2",
        "PGPASSFILE": "/pgpass",
    }
    assert "hunter2" not in repr(found)
    of_a_person = from_environment({**shell, "E2I_DATABASE_URL": "postgresql://u@h/d", "PGSERVICE": "theirs"})
    assert of_a_person.child_environment("postgresql://worker@h/d")["PGSERVICE"] == "theirs"


def test_the_project_folder_is_the_nearest_one_with_experiments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer, inner = tmp_path / "outer", tmp_path / "outer" / "team" / "inner"
    for root in (outer, inner):
        (root / "experiments" / "schemas").mkdir(parents=True)
    for place, root in [(inner / "experiments" / "schemas", inner), (inner, inner), (outer / "team", outer)]:
        monkeypatch.chdir(place)
        assert from_environment({}).root == root
    assert from_environment({"E2I_HOME": str(inner)}).root == inner
    assert from_environment({"E2I_HOME": str(inner)}).sql == ROOT / "sql"


def test_without_a_project_folder_the_error_names_the_variable_and_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(E2iError, match=f"E2I_HOME is not set, and neither {tmp_path} nor a folder above it has exp"):
        from_environment({})
    with pytest.raises(E2iError, match=f"{tmp_path} is not a project folder, it has no experiments/: set E2I_HOME to"):
        from_environment({"E2I_HOME": str(tmp_path)})
