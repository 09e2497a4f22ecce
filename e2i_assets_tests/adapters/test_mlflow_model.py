import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from e2i_assets.adapters.mlflow.model_folder import save_mlflow_model
from e2i_assets.adapters.mlflow.models import ARCHIVE, load_model
from e2i_assets.core.algorithms.prepared_data import Task
from e2i_assets.core.algorithms.registry import algorithm
from e2i_assets.core.fitting.fit_context import Rows, fit_context
from e2i_assets.core.fitting.fitted_model import FittedModel

CLASSES = ("high", "low")


def table(rows: int = 120) -> pd.DataFrame:
    random = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "visits": random.integers(0, 20, rows),
            "share": random.normal(size=rows),
            "insured": random.random(rows) < 0.5,
            "region": pd.Categorical(random.choice(["north", "south"], rows)),
            "town": pd.Categorical([f"t{number}" for number in random.integers(0, 70, rows)]),
        }
    )
    frame.loc[::7, "share"] = np.nan
    return frame


def fitted(name: str, problem: str) -> FittedModel:
    frame, chosen = table(), algorithm(name)
    values = frame["visits"] + 0.5
    target = values if problem == "regression" else pd.Series(np.where(values > 9, "high", "low"))
    classes = () if problem == "regression" else CLASSES
    rows = Rows(frame, target)
    on_bench = fit_context(chosen, Task(problem, len(classes)), rows, rows, classes)
    return on_bench.model(on_bench.fit({**chosen.default_values, **chosen.fixed_values}))


def opened(folder: Path) -> Any:
    import mlflow.pyfunc

    return mlflow.pyfunc.load_model(str(folder))


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory whose lock file MLflow would use."""
    (tmp_path / "uv.lock").write_text("")
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("XGBoost", "binary_classification"),
        ("LightGBM", "regression"),
        ("ExtraTrees", "binary_classification"),
        ("Ridge", "regression"),
    ],
)
def test_mlflow_loads_the_folder_and_predicts_the_same(name: str, problem: str, elsewhere: Path) -> None:
    model = fitted(name, problem)
    save_mlflow_model(model, elsewhere / "folder", table().head(5))
    loaded = opened(elsewhere / "folder")
    rows = table().astype({"region": object, "town": object})
    assert loaded.predict(rows).tolist() == model.predict(rows).tolist()
    if problem != "regression":
        assert np.array_equal(loaded.predict(rows, params={"method": "predict_proba"}), model.predict_proba(rows))


def test_the_folder_tells_its_signature_example_requirements_and_hash(elsewhere: Path) -> None:
    folder = elsewhere / "folder"
    digest = save_mlflow_model(fitted("Ridge", "regression"), folder, table().head(3), {"e2i.study": "s1"})
    described = yaml.safe_load((folder / "MLmodel").read_text())
    assert [column in described["signature"]["inputs"] for column in ("visits", "region")] == [True, True]
    assert described["saved_input_example_info"]["artifact_path"] == "input_example.json"
    columns = {"visits": "number", "share": "number", "insured": "number"} | dict.fromkeys(
        ("region", "town"), "category"
    )
    assert json.loads(described["metadata"].pop("e2i.columns")) == columns
    assert described["metadata"] == {"e2i.study": "s1", "e2i.model_sha256": digest}
    requirements = (folder / "requirements.txt").read_text().split()
    assert [line.partition("==")[0] for line in requirements] == ["mlflow", "numpy", "pandas", "scikit-learn", "skops"]
    assert not (folder / "uv.lock").exists()
    assert not list(folder.rglob("*.pkl"))


def test_the_model_in_the_folder_is_the_one_that_the_hash_names(elsewhere: Path) -> None:
    digest = save_mlflow_model(fitted("Ridge", "regression"), elsewhere / "folder", table().head(3))
    (archive,) = (elsewhere / "folder").rglob(ARCHIVE)
    assert load_model(archive.parent, digest).feature_names_in_ == list(table().columns)


def test_writing_twice_replaces_the_folder(elsewhere: Path) -> None:
    first = save_mlflow_model(fitted("Ridge", "regression"), elsewhere / "folder", table().head(3))
    assert save_mlflow_model(fitted("Ridge", "regression"), elsewhere / "folder", table().head(3)) == first


def test_an_unknown_prediction_method_is_refused_with_what_is_known(elsewhere: Path) -> None:
    save_mlflow_model(fitted("Ridge", "regression"), elsewhere / "folder", table().head(3))
    loaded = opened(elsewhere / "folder")
    with pytest.raises(ValueError, match="give 'predict' or 'predict_proba'"):
        loaded.predict(table().astype({"region": object}), params={"method": "guess"})


def test_a_model_is_saved_where_a_killed_process_left_half_of_one(tmp_path: Path) -> None:
    """MLflow refuses a folder that is not empty, so no later training of the study could save its model."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "half").write_text("half of a model")
    save_mlflow_model(fitted("Ridge", "regression"), tmp_path / "model", table().head())
    assert len(opened(tmp_path / "model").predict(table().head().astype({"region": object}))) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert not (tmp_path / "model" / "half").exists()
