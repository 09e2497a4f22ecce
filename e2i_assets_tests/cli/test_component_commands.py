"""Dagster's commands for components, in a project of a platform that has the package installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def dg_command(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [Path(sys.executable).parent / "dg", *words]
    environment = {**os.environ, "DAGSTER_DISABLE_TELEMETRY": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.processes
@pytest.mark.drill  # a minute; CI tests `dg check defs` with the wheel
@pytest.mark.usefixtures("root")
def test_dg_lists_and_scaffolds_the_component_and_finds_a_mistake_in_its_file(tmp_path: Path) -> None:
    platform = tmp_path / "platform"
    (platform / "src" / "plat" / "defs").mkdir(parents=True)
    (platform / "src" / "plat" / "__init__.py").touch()
    (platform / "dg.toml").write_text('directory_type = "project"\n\n[project]\nroot_module = "plat"\n')
    assert "e2i_assets.ExperimentComponent" in dg_command(platform, "list", "components").stdout
    made = dg_command(platform, "scaffold", "defs", "e2i_assets.ExperimentComponent", "churn")
    assert made.returncode == 0, made.stdout + made.stderr
    file = platform / "src" / "plat" / "defs" / "churn" / "defs.yaml"
    text = file.read_text()
    assert "    name: churn\n" in text
    assert "# eager: at each materialization of the upstream asset" in text
    checked = dg_command(platform, "check", "yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    file.write_text(text.replace("key_prefix:", "key_prefx:"))
    refused = dg_command(platform, "check", "yaml")
    assert refused.returncode != 0
    assert "'key_prefx' was unexpected" in refused.stdout + refused.stderr
    file.write_text(text.replace("automation: eager", "automation: sometimes"))
    refused = dg_command(platform, "check", "yaml")
    assert refused.returncode != 0
    assert "'sometimes' does not match" in refused.stdout + refused.stderr
