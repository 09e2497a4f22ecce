"""The wheel, installed outside of the checkout with the packages that it requires, works in a new project folder."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, PathDistribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from sklearn.datasets import load_breast_cancer
from snippets import snippets

from e2i_assets.adapters.postgres.database import Database

ROOT = Path(__file__).parents[2]
CHURN = """\
name: {name}
owner: team:tests
source: {{csv: customers.csv}}
target: left
problem_type: binary_classification
algorithm: LogisticRegression
hpo: {{trials: 2}}
final_model: {final_model}
"""
DG = "from dagster_dg_cli.cli import main; main()"


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The interpreter of an environment with the wheel and what it requires: no checkout, no tools of development."""
    environment, uv = tmp_path / "environment", Path(sys.executable).with_name("uv")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    python = environment / "bin" / "python"
    (wheel,) = tmp_path.glob("*.whl")
    install = [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, wheel]
    subprocess.run(install, check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (metadata,) = packages.glob("e2i_assets-*.dist-info")
    for place in required(PathDistribution(metadata)):
        (packages / place.name).symlink_to(place)
    return python


def required(wheel: Distribution) -> set[Path]:
    """Return the installed files and folders of all packages that a wheel requires, directly or not."""
    places: set[Path] = set()
    seen: set[tuple[str, str]] = set()
    waiting = list(needs(wheel, ""))
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            package = distribution(name)
        except PackageNotFoundError:  # the lock leaves it out (nvidia-nccl-cu12)
            continue
        waiting += needs(package, extra)
        root = Path(str(package.locate_file("")))
        places |= {root / file.parts[0] for file in package.files or () if file.parts[0] != ".."}
    return places


def needs(package: Distribution, extra: str) -> Iterator[tuple[str, str]]:
    """Return the names and extras that a package requires on this machine when it is installed with an extra."""
    for one in map(Requirement, package.requires or ()):
        if one.marker is None or one.marker.evaluate({"extra": extra}):
            yield from ((canonicalize_name(one.name), wanted) for wanted in ("", *one.extras))


@pytest.fixture
def run(python: Path, database: Database) -> Callable[..., str]:
    """Run Python in a folder, like somebody who has no project and no settings but the database."""
    dropped = ("E2I_", "DAGSTER_", "PYTHON", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    settings = {"E2I_DATABASE_URL": database.url, "E2I_PICTURES": "off", "E2I_CORES": "1"}
    quiet = {"DO_NOT_TRACK": "1", "DAGSTER_DISABLE_TELEMETRY": "1", "DAGSTER_DG_CLI_TELEMETRY_DISABLED": "1"}

    def run(folder: Path, *words: str) -> str:
        ended = subprocess.run(
            [python, *words], cwd=folder, env={**kept, **settings, **quiet}, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    return run


@pytest.mark.processes
@pytest.mark.timeout(600)
def test_the_installed_wheel_works_in_a_new_project_folder(run: Callable[..., str], tmp_path: Path) -> None:
    e2i = ("-m", "e2i_assets.cli.main")
    assert str(ROOT) not in run(tmp_path, "-c", "import e2i_assets; print(e2i_assets.__file__)")
    run(tmp_path, *e2i, "init", "models")
    folder = tmp_path / "models"
    for name, final_model in (("churn", "refit"), ("churn_strict", "train_only")):
        (folder / "experiments" / f"{name}.yaml").write_text(CHURN.format(name=name, final_model=final_model))
    rows = load_breast_cancer(as_frame=True).frame.rename(columns={"target": "left"})
    rows.to_csv(folder / "customers.csv", index=False)
    rows.drop(columns="left").head(30).to_csv(tmp_path / "new_customers.csv", index=False)
    run(folder, *e2i, "experiment", "validate", "--data")
    shown = run(folder, *e2i, "run", "churn_strict", "--json")
    (found,) = json.loads(shown[shown.index("[") : shown.rindex("]") + 1])
    assert found["status"] == "done"
    assert "checks passed" in run(folder, *e2i, "check", "churn_strict")
    # The folder needs no pyproject.toml for Dagster's own commands.
    assert {path.name for path in folder.iterdir()}.isdisjoint({"pyproject.toml", "sql"})
    assert "All definitions loaded successfully" in run(folder, "-c", DG, "check", "defs")
    assert "Validation successful" in run(
        folder, "-m", "dagster", "definitions", "validate", "-m", "e2i_assets.definitions"
    )
    the_script_of_the_docs_runs_beside_the_project(run, tmp_path)


def the_script_of_the_docs_runs_beside_the_project(run: Callable[..., str], folder: Path) -> None:
    (script,) = [one for one in snippets(ROOT / "docs" / "how-to" / "python.md") if one.file]
    assert script.file is not None
    (folder / script.file).write_text(script.text)
    shown = run(folder, script.file)
    assert shown.startswith("done roc_auc 0.9")
    assert "params_C" in shown
    assert "reason_1" in shown
    assert "DeLong" in shown
    assert Path(shown.strip().splitlines()[-1]).is_file()
