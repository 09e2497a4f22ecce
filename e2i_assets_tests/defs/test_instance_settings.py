"""What another Dagster instance lacks is reported when the definitions are loaded."""

import logging
import shutil
from pathlib import Path

import pytest

from e2i_assets.definitions import build
from e2i_assets.defs.instance_settings import missing_settings

ROOT = Path(__file__).parents[2]


def test_our_own_file_lacks_nothing(tmp_path: Path) -> None:
    shutil.copy(ROOT / "dagster.yaml", tmp_path)
    assert missing_settings(str(tmp_path)) == {}
    assert missing_settings(None) == {}


@pytest.mark.usefixtures("project")
def test_loading_the_definitions_names_the_settings_that_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("run_retries: {enabled: true}\nconcurrency: {pools: {default_limit: 2}}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    # Dagster configures its logger in some tests, and its records then do not reach the root logger.
    monkeypatch.setattr(logging.getLogger("dagster"), "propagate", True)
    build()
    (record,) = [one for one in caplog.records if one.name == "dagster.e2i"]
    for name in ("run_monitoring.enabled", "freshness.enabled", "concurrency.runs.tag_concurrency_limits"):
        assert name in record.message
    assert "run_retries" not in record.message
    assert "pools" not in record.message
