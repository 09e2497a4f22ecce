"""The output of steps is where the state is: in the state folder, or in object storage for every machine."""

import sys
from pathlib import Path

import pytest
import yaml
from object_storage import new_bucket, object_storage, objects

from e2i_assets.adapters.settings import Settings, current_settings
from e2i_assets.cli.dagster_home import dagster_home
from e2i_assets.defs.dagster_internals import ComputeIOType, ComputeLogManager, ConfigurableClassData

LOG = ["7c1f", "compute_logs", "hpo_study"]


def manager(settings: Settings) -> ComputeLogManager:
    """Open the manager that `dagster.yaml` describes, as an instance does."""
    part = yaml.safe_load((dagster_home(settings) / "dagster.yaml").read_text())["compute_logs"]
    data = ConfigurableClassData(part["module"], part["class"], yaml.safe_dump(part["config"]))
    return data.rehydrate(as_type=ComputeLogManager)


def write(logs: ComputeLogManager) -> None:
    with logs.capture_logs(LOG):
        print("trial 3 is the best", file=sys.stderr)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "experiments").mkdir()
    monkeypatch.setenv("E2I_HOME", str(tmp_path))
    return tmp_path


def test_the_output_of_a_step_is_in_the_state_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2I_STATE", "state")
    logs = manager(current_settings())
    write(logs)
    assert b"trial 3 is the best" in (root / "state/dagster/logs/7c1f/compute_logs/hpo_study.err").read_bytes()
    logs.dispose()


def test_another_machine_reads_the_output_of_a_step_from_object_storage(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with object_storage() as reached:
        for name, value in reached.items():
            monkeypatch.setenv(name, value)
        bucket = new_bucket(reached)
        monkeypatch.setenv("E2I_DATABASE_URL", "postgresql://db.example/e2i")
        monkeypatch.setenv("E2I_STATE", f"s3://{bucket}/models/e2i")
        for machine in ("here", "there"):
            monkeypatch.setenv("E2I_SCRATCH", machine)
            logs = manager(current_settings())
            if machine == "here":
                write(logs)
            found = logs.get_log_data_for_type(LOG, ComputeIOType.STDERR, 0, None)
            assert found[0] is not None
            assert b"trial 3 is the best" in found[0], machine
            logs.dispose()
        assert all(key.startswith("models/e2i/dagster-logs/") for key in objects(reached, bucket))
    assert {path.name for path in root.iterdir()} == {"experiments", "here", "there"}
