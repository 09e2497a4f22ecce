import json
from pathlib import Path

import numpy as np
import pytest
from fitted_models import EACH_ONCE, fitted, table
from sklearn.base import BaseEstimator

from e2i_assets.adapters.mlflow.model_archive import canonical, skops_io
from e2i_assets.adapters.mlflow.models import ARCHIVE, MANIFEST, ModelInvalid, load_model, save_model
from e2i_assets.core.algorithms.registry import algorithm, installed
from e2i_assets.core.fitting.fitted_model import FittedModel


class Foreign(BaseEstimator):  # type: ignore[misc]
    """An estimator that is not on the list of types that may be loaded."""


@pytest.mark.parametrize(("name", "problem"), EACH_ONCE)
def test_a_stored_model_predicts_bit_identical_values(name: str, problem: str, tmp_path: Path) -> None:
    model = fitted(name, problem)
    digest = save_model(model, tmp_path)
    again = load_model(tmp_path, digest)
    assert again.predict(table()).tolist() == model.predict(table()).tolist()
    assert again.predict(table()).dtype == model.predict(table()).dtype
    if problem != "regression":
        assert np.array_equal(again.predict_proba(table()), model.predict_proba(table()))


@pytest.mark.parametrize("name", ["XGBoost", "LightGBM"])
def test_a_booster_that_stopped_early_still_uses_its_best_round(name: str, tmp_path: Path) -> None:
    model = fitted(name, "regression", patience=2)
    save_model(model, tmp_path)
    assert np.array_equal(load_model(tmp_path).predict(table()), model.predict(table()))


@pytest.mark.parametrize("name", installed())
def test_equal_models_have_equal_hashes(name: str, tmp_path: Path) -> None:
    problem = algorithm(name).problem_types[0]
    first = save_model(fitted(name, problem), tmp_path / "first")
    assert save_model(fitted(name, problem), tmp_path / "second") == first
    assert save_model(load_model(tmp_path / "first"), tmp_path / "third") == first


def test_different_models_have_different_hashes(tmp_path: Path) -> None:
    assert save_model(fitted("Ridge", "regression"), tmp_path) != save_model(fitted("Lasso", "regression"), tmp_path)


def test_an_altered_archive_is_refused(tmp_path: Path) -> None:
    save_model(fitted("Ridge", "regression"), tmp_path)
    content = bytearray((tmp_path / ARCHIVE).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / ARCHIVE).write_bytes(content)
    with pytest.raises(ModelInvalid, match="is not the file that was written"):
        load_model(tmp_path)


def test_archive_and_manifest_exchanged_together_are_refused_by_the_hash_kept_elsewhere(tmp_path: Path) -> None:
    digest = save_model(fitted("Ridge", "regression"), tmp_path)
    save_model(fitted("Lasso", "regression"), tmp_path)
    with pytest.raises(ModelInvalid, match=digest):
        load_model(tmp_path, digest)


def stored_by_hand(content: bytes, folder: Path) -> None:
    """Write a model that `save_model` would refuse, with a matching manifest."""
    import hashlib

    (folder / ARCHIVE).write_bytes(content)
    manifest = {"format": "e2i-model-2", "sha256": hashlib.sha256(content).hexdigest(), "libraries": {}}
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def test_a_type_that_is_not_on_the_list_is_refused_by_name_and_not_built(tmp_path: Path) -> None:
    model = FittedModel(Foreign(), Foreign())
    with pytest.raises(ModelInvalid, match="Foreign"):
        save_model(model, tmp_path)
    assert not list(tmp_path.iterdir())
    stored_by_hand(canonical(skops_io().dumps(model.parts)), tmp_path)
    with pytest.raises(ModelInvalid, match=r"Foreign, which is never loaded"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a zip archive",
        canonical(skops_io().dumps([1, 2])),
        canonical(skops_io().dumps({"classes": 1})),
        canonical(skops_io().dumps({"models": []})),
        canonical(skops_io().dumps({"models": [1], "threshold": None})),
        canonical(skops_io().dumps({"models": [{"classes": 1}]})),
    ],
)
def test_what_is_not_a_model_of_ours_is_refused(content: bytes, tmp_path: Path) -> None:
    stored_by_hand(content, tmp_path)
    with pytest.raises(ModelInvalid):
        load_model(tmp_path)


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"format": "e2i-model-2"}'])
def test_a_manifest_that_does_not_fit_is_refused(manifest: str, tmp_path: Path) -> None:
    save_model(fitted("Ridge", "regression"), tmp_path)
    (tmp_path / MANIFEST).write_text(manifest, encoding="utf-8")
    with pytest.raises(ModelInvalid):
        load_model(tmp_path)


def test_a_missing_model_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match="no model can be read"):
        load_model(tmp_path / "nowhere")


def test_saving_twice_replaces_the_model(tmp_path: Path) -> None:
    save_model(fitted("Ridge", "regression"), tmp_path)
    lasso = fitted("Lasso", "regression")
    save_model(lasso, tmp_path)
    assert np.array_equal(load_model(tmp_path).predict(table()), lasso.predict(table()))
