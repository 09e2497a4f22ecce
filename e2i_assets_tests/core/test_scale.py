"""The scale and offset of features and targets do not change the quality of a model, for any algorithm."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score, roc_auc_score

from e2i_assets.adapters.mlflow.models import load_model, save_model
from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.prepared_data import Task
from e2i_assets.core.algorithms.target_unit import target_unit
from e2i_assets.core.fitting.feature_importances import feature_importances
from e2i_assets.core.fitting.fit_context import Rows, fit_context, merged
from e2i_assets.core.fitting.fitted_model import FittedModel

REGRESSIONS = [name for name in registry.installed() if "regression" in registry.algorithm(name).problem_types]
BOTH = [(name, kind) for name in registry.installed() for kind in ("regression", "binary_classification")]
PAIRS = [(name, kind) for name, kind in BOTH if kind in registry.algorithm(name).problem_types]
N, TRAIN = 600, 400


def table() -> tuple[pd.DataFrame, pd.Series]:
    draws = np.random.default_rng(0)
    x = pd.DataFrame(draws.normal(size=(N, 4)), columns=list("abcd"))
    return x, 2 * x["a"] + np.abs(x["b"]) + draws.normal(0, 0.3, N)


def model(name: str, x: pd.DataFrame, y: pd.Series, kind: str = "regression", **parameters: object) -> FittedModel:
    algorithm = registry.algorithm(name)
    classes = () if kind == "regression" else (False, True)
    rows = Rows(x[:TRAIN], y[:TRAIN]), Rows(x[TRAIN:], y[TRAIN:])
    prepared = fit_context(algorithm, Task(kind, len(classes)), *rows, classes)
    return prepared.model(prepared.fit(merged(algorithm.default_values, parameters, algorithm.fixed_values), 10))


def quality(name: str, x: pd.DataFrame, y: pd.Series, kind: str = "regression") -> float:
    made = model(name, x, y, kind)
    if kind == "regression":
        return float(r2_score(y[TRAIN:], made.predict(x[TRAIN:])))
    return float(roc_auc_score(y[TRAIN:], made.predict_proba(x[TRAIN:])[:, 1]))


@pytest.mark.parametrize("name", REGRESSIONS)
def test_the_scale_and_offset_of_the_target_do_not_change_the_quality(name: str) -> None:
    x, y = table()
    expected = quality(name, x, y)
    assert expected > 0.85
    for scale, centre in [(8e-5, 0), (1e-12, 0), (1e-120, 0), (1e12, 0), (1e120, 0), (1, 1e9), (-1e-9, 5)]:
        assert quality(name, x, y * scale + centre) == pytest.approx(expected, abs=0.01), (scale, centre)


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_the_scale_and_offset_of_features_do_not_change_the_quality(name: str, kind: str) -> None:
    x, y = table()
    y = y if kind == "regression" else y > y.median()
    expected = quality(name, x, y, kind)
    for scale, centre in [(1e-9, 0), (1e-45, 0), (1e50, 0), (1, 1e9), (1e5, 4e12)]:
        assert quality(name, x * scale + centre, y, kind) == pytest.approx(expected, abs=0.02), (scale, centre)


@pytest.mark.parametrize("name", [name for name in REGRESSIONS if registry.algorithm(name).family != "linear"])
def test_codes_of_13_digits_and_their_clusters_are_separated(name: str) -> None:
    """Half of the rows have codes that are 100 apart; the codes of the others are far away and differ more."""
    draws = np.random.default_rng(1)
    place = draws.integers(0, 8, N)
    far = draws.random(N) < 0.5
    codes = np.where(far, 4_006_381_000_000 + 100 * place, 9_000_000_000_000 * draws.random(N)).astype("int64")
    x = pd.DataFrame({"code": codes, "noise": draws.normal(size=N)})
    y = pd.Series(np.where(far, draws.permutation(8)[place], 20.0) + draws.normal(0, 0.1, N))
    made = model(name, x, y)
    assert r2_score(y[TRAIN:][far[TRAIN:]], made.predict(x[TRAIN:][far[TRAIN:]])) > 0.9


@pytest.mark.parametrize("name", [name for name in REGRESSIONS if registry.algorithm(name).family != "linear"])
@pytest.mark.parametrize(("base", "step"), [(4 * 10**15, 3), (10**15, 1), (1_760_000_000 * 10**9, 1000), (-(2**52), 1)])
def test_whole_numbers_that_double_precision_distinguishes_are_separated(name: str, base: int, step: int) -> None:
    draws = np.random.default_rng(1)
    place = draws.integers(0, 8, N)
    x = pd.DataFrame({"code": base + step * place, "noise": draws.normal(size=N)})
    y = pd.Series(draws.permutation(8)[place] + draws.normal(0, 0.1, N))
    assert r2_score(y[TRAIN:], model(name, x, y).predict(x[TRAIN:])) > 0.9


@pytest.mark.parametrize("name", REGRESSIONS)
def test_features_without_a_variance_in_double_precision_are_learnt(name: str, tmp_path: Path) -> None:
    x, y = table()
    made = model(name, x * 1e250, y)
    assert r2_score(y[TRAIN:], made.predict(x[TRAIN:] * 1e250)) == pytest.approx(quality(name, x, y), abs=0.02)
    save_model(made, tmp_path / name)
    assert np.array_equal(load_model(tmp_path / name).predict(x * 1e250), made.predict(x * 1e250))


def test_a_model_of_closely_spaced_numbers_is_stored_and_served(tmp_path) -> None:
    x, y = table()
    x = x.assign(a=x["a"] * 1e-9, c=x["c"].where(x.index % 7 > 0))
    for name in ("XGBoost", "RandomForest", "Lasso"):
        made = model(name, x, y * 8e-5)
        save_model(made, tmp_path / name)
        again = load_model(tmp_path / name)
        assert np.array_equal(again.predict(x), made.predict(x))
        assert again.predict(x).std() == pytest.approx((y * 8e-5).std(), rel=0.2)
        assert set(feature_importances(again)) >= set("abcd")


@pytest.mark.parametrize(
    ("name", "parameters"), [("RandomForest", {"criterion": "poisson"}), ("Ridge", {"fit_intercept": False})]
)
def test_a_model_whose_loss_depends_on_zero_keeps_the_offset(name: str, parameters: dict[str, object]) -> None:
    x, y = table()
    counts = (y - y.min()).round()
    made = model(name, x, counts, **parameters)
    assert made.target_centre == 0.0
    assert made.target_scale == pytest.approx(float(counts[:TRAIN].std(ddof=0)))


def test_ordinary_columns_are_unchanged() -> None:
    x, y = table()
    whole = x.assign(a=np.arange(N), b=x["b"].round(2), c=x["c"] * 1e6, d=0.1 * np.arange(N) + 0.2)
    steps = model("XGBoost", whole, y).preprocessing.named_transformers_
    assert set(steps) == {"numeric", "categorical"}


def test_targets_are_scaled_by_mean_and_deviation_at_any_size() -> None:
    values = np.array([1.0, 2.0, 6.0])
    for size in (1e-300, 1e-5, 1.0, 1e5, 1e300):
        unit = target_unit(values * size)
        assert np.allclose(unit.learnt(values * size), (values - 3) / values.std())
    assert target_unit(np.zeros(3)).learnt(values) is values
