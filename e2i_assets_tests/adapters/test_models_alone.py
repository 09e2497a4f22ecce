"""A stored model in an environment without our package: it loads and predicts the same."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from finished_project import made
from fitted_models import PAIRS, averaged, fitted, table
from mlflow_program import mlflow_server

from e2i_assets.adapters.mlflow.model_folder import save_mlflow_model
from e2i_assets.adapters.mlflow.models import load_model
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings
from e2i_assets.core.fitting.averaged_model import Model
from e2i_assets.services.project import Project
from e2i_assets.services.stored_model import ARCHIVE

PROGRAM = Path(__file__).parents[1] / "support" / "stand_alone.py"
MEANS = [
    ("LightGBM", "binary_classification"),
    ("XGBoost", "multiclass_classification"),
    ("RandomForest", "regression"),
]
SOME = [(name, "binary_classification") for name in ("LightGBM", "XGBoost", "RandomForest", "LogisticRegression")]
BOOSTERS = ("lightgbm", "xgboost")
# A dependency of xgboost that is only used on several machines: 469 MB.
OVERRIDE = "nvidia-nccl-cu12 ; sys_platform == 'never'\n"


def stored(name: str, problem: str, folder: Path, of: Callable[[str, str], Model] = fitted) -> Path:
    """Write a model, difficult rows, and the predictions of the model for them."""
    model = of(name, problem)
    model.threshold = 0.3 if problem == "binary_classification" else None
    rows = table(60)
    rows.loc[3, "region"], rows.loc[4, "share"] = "never seen", np.nan
    rows["visits"] = rows["visits"].astype("Int64").mask(rows.index % 8 == 5)
    place = folder / f"{name}_{problem}_{type(model).__name__}"
    save_mlflow_model(model, place / "model", rows.head())
    rows.to_parquet(place / "rows.parquet")
    read_back = pd.read_parquet(place / "rows.parquet")
    expected = {"predict": model.predict(read_back).tolist()}
    if problem != "regression":
        expected["predict_proba"] = model.predict_proba(read_back).tolist()
    (place / "expected.json").write_text(json.dumps(expected))
    return place


def agreed(python: Path | str, refused: tuple[str, ...], *folders: Path) -> int:
    """Return the number of models with the expected predictions, in a process of this Python."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "E2I_"))}
    command = [str(python), "-W", "ignore", str(PROGRAM), ",".join(refused), *map(str, folders)]
    ran = subprocess.run(
        command, env=environment, cwd=folders[0], capture_output=True, text=True, check=False, timeout=300
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return int(ran.stdout)


def test_every_model_loads_and_predicts_the_same_without_our_package(tmp_path: Path) -> None:
    folders = [stored(name, problem, tmp_path) for name, problem in PAIRS]
    folders += [stored(name, problem, tmp_path, averaged) for name, problem in MEANS]
    assert agreed(sys.executable, ("e2i_assets",), *folders) == len(PAIRS) + len(MEANS)


@pytest.mark.drill  # in CI, the models with recorded requirements alone
def test_a_model_asks_for_its_own_booster_and_no_other(tmp_path: Path) -> None:
    wanted = {"LightGBM": ["lightgbm"], "XGBoost": ["xgboost"], "Ridge": [], "RandomForest": []}
    folders = {name: stored(name, "regression", tmp_path) for name in wanted}
    for name, folder in folders.items():
        lines = (folder / "model" / "requirements.txt").read_text().split()
        assert all("==" in line for line in lines)
        assert [line.partition("==")[0] for line in lines if line.startswith(BOOSTERS)] == wanted[name]
    assert agreed(sys.executable, ("e2i_assets", *BOOSTERS), folders["Ridge"], folders["RandomForest"]) == 2


@pytest.mark.processes
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("pairs", "means"), [(SOME, []), pytest.param(PAIRS, MEANS, marks=pytest.mark.drill)], ids=["some", "every model"]
)
def test_the_recorded_requirements_alone_load_models_from_folder_and_registry_in_an_empty_environment(
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pairs: list[tuple[str, str]],
    means: list[tuple[str, str]],
) -> None:
    """The environment of another machine: the requirements that MLflow recorded, and no other package."""
    folders = [stored(name, problem, tmp_path) for name, problem in pairs]
    folders += [stored(name, problem, tmp_path, averaged) for name, problem in means]
    with mlflow_server(database, tmp_path) as (address, _):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        folders.append(champion(database, address, tmp_path))
        assert agreed(empty_environment(tmp_path, folders), (), *folders) == len(folders)


def champion(database: Database, address: str, folder: Path) -> Path:
    """Train and promote a model that a server registers; return its folder, with the address in the registry."""
    project = Project(Settings(folder, folder / "state", mlflow_tracking_uri=address), database)
    made(project)
    (link,) = project.training_runs.links("plain")
    rows = pd.read_csv(folder / "cells.csv").drop(columns="target").head(60)
    rows.loc[3, "site"], rows.loc[4, "mean area"] = "never seen", np.nan
    place = folder / "champion"
    shutil.copytree(project.model_folder("plain", link.spec_hash), place / "model")
    rows.to_parquet(place / "rows.parquet")
    model = load_model(place / "model" / ARCHIVE)
    expected = {"predict": model.predict(rows).tolist(), "predict_proba": model.predict_proba(rows).tolist()}
    (place / "expected.json").write_text(json.dumps(expected))
    (place / "uri.txt").write_text("models:/e2i_plain@champion")
    return place


def empty_environment(folder: Path, models: list[Path]) -> Path:
    """Install the recorded requirements of all models, and nothing else; return the interpreter."""
    uv, python = str(Path(sys.executable).with_name("uv")), folder / "venv" / "bin" / "python"
    (folder / "override.txt").write_text(OVERRIDE)
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(folder / "venv")], check=True)
    lists = [word for model in models for word in ("-r", str(model / "model" / "requirements.txt"))]
    install = [uv, "pip", "install", "-q", "--python", str(python), "--override", str(folder / "override.txt")]
    subprocess.run([*install, *lists], check=True)
    return python
