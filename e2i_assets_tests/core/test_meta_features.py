"""Meta-features: finite on every table, as documented, and fast."""

import math
import time

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from e2i_assets.core.errors import DataInvalid
from e2i_assets.core.memory import meta_features as module
from e2i_assets.core.memory.landmarkers import NAMES, landmarkers
from e2i_assets.core.memory.meta_features import meta_features
from e2i_assets.core.metrics import PROBLEM_TYPES, ProblemType


def table(n: int = 500) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "normal": random.normal(5, 2, n),
            "skewed": random.exponential(3, n),
            "flag": random.random(n) < 0.2,
            "region": random.choice(["northeast", "south", "west"], n),
            "brand": pd.Categorical(random.choice(["a", "b"], n)),
        }
    )


def test_the_values_follow_the_documented_definitions() -> None:
    X = table()
    X.loc[:49, "normal"] = np.nan
    X.loc[:24, "region"] = None
    y = np.repeat([0, 1, 2], [300, 150, 50])
    found = meta_features(X, y, "multiclass_classification")
    described = {name: value for name, value in found.items() if name not in NAMES}
    numeric = [X["normal"].dropna(), X["skewed"], X["flag"].astype(float)]
    skew = np.abs([stats.skew(column) for column in numeric])
    kurtosis = np.abs([stats.kurtosis(column) for column in numeric])
    assert described == pytest.approx(
        {
            "n_samples": 500,
            "n_features": 5,
            "log_n_samples": math.log10(500),
            "log_n_features": math.log10(5),
            "log_samples_per_feature": 2,
            "share_categorical": 0.4,
            "share_missing": 75 / 2500,
            "mean_cardinality": 2.5,
            "max_cardinality": 3,
            "mean_abs_skew": skew.mean(),
            "sd_abs_skew": skew.std(),
            "mean_abs_kurtosis": kurtosis.mean(),
            "sd_abs_kurtosis": kurtosis.std(),
            "n_classes": 3,
            "class_balance": 0.1,
            "class_entropy": stats.entropy([0.6, 0.3, 0.1], base=3),
        }
    )


def test_a_balanced_target_of_any_number_of_classes_has_full_entropy() -> None:
    for k in (2, 3, 10):
        found = meta_features(table(), np.arange(500) % k, "multiclass_classification")
        assert found["class_entropy"] == pytest.approx(1, abs=1e-4)


def test_a_regression_target_is_described_by_its_shape() -> None:
    y = np.random.default_rng(1).gamma(2, 3, 500)
    found = meta_features(table(), y, "regression")
    cv = y.std() / y.mean()
    assert found["target_skew"] == pytest.approx(stats.skew(y))
    assert found["target_kurtosis"] == pytest.approx(stats.kurtosis(y))
    assert found["target_spread"] == pytest.approx(cv / (1 + cv))
    assert "n_classes" not in found


HARD_COLUMNS = {
    "constant": np.full(6, 0.1),
    "huge": np.array([1e300, -1e300, 1e299, 0, 1, 2]),
    "tiny": np.array([1e-300, 2e-300, 0, 0, 0, 5e-300]),
    "infinite": np.array([np.inf, -np.inf, 1, 2, 3, 4]),
    "empty": np.full(6, np.nan),
    "one value": np.array([np.nan, np.nan, np.nan, 3.0, np.nan, np.nan]),
    "far from zero": 1e12 + np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.1]),
    "nullable": pd.array([1, None, 3, 4, 5, None], dtype="Int64"),
    "text": np.array(["a", "b", None, "a", "c", "d"], dtype=object),
    "no text": np.full(6, None, dtype=object),
    "dates": pd.date_range("2024-01-01", periods=6),
}
HARD_TARGETS = [np.zeros(6), np.arange(6.0) - 2.5, np.array([1e300, -1e300, 0, 0, 0, 0])]


@pytest.mark.parametrize("name", HARD_COLUMNS)
@pytest.mark.parametrize("problem_type", PROBLEM_TYPES)
def test_every_value_is_finite_on_a_difficult_column(name: str, problem_type: ProblemType) -> None:
    X = pd.DataFrame({name: HARD_COLUMNS[name]})
    for y in HARD_TARGETS if problem_type == "regression" else [np.zeros(6, int), np.arange(6) % 2, np.arange(6)]:
        assert all(math.isfinite(value) for value in meta_features(X, y, problem_type).values())


@pytest.mark.parametrize("value", [0.1, -7.3, 1e12 + 0.1])
def test_a_constant_has_no_skewness(value: float) -> None:
    """The rounding error of its mean is not variance: its skewness would be noise divided by noise."""
    found = meta_features(pd.DataFrame({"a": np.full(999, value)}), np.full(999, value), "regression")
    shape = {name: number for name, number in found.items() if "skew" in name or "kurtosis" in name}
    assert shape == dict.fromkeys(shape, 0.0)


@pytest.mark.parametrize("problem_type", PROBLEM_TYPES)
def test_the_set_of_values_depends_on_the_problem_type_only_and_is_documented(
    problem_type: ProblemType,
) -> None:
    y = np.arange(6) % 2
    names = {tuple(meta_features(pd.DataFrame({name: X}), y, problem_type)) for name, X in HARD_COLUMNS.items()}
    assert len(names) == 1
    assert all(name in str(module.__doc__) for name in names.pop())


def test_the_table_is_not_modified() -> None:
    X = pd.DataFrame({"a": [1.0, np.inf, 3.0], "b": [1.0, 2.0, 3.0]})
    before = X.copy()
    meta_features(X, np.array([0, 1, 0]), "binary_classification")
    pd.testing.assert_frame_equal(X, before)


@pytest.mark.parametrize("X", [pd.DataFrame({"a": []}), pd.DataFrame(index=range(3))])
def test_an_empty_table_is_an_error(X: pd.DataFrame) -> None:
    with pytest.raises(DataInvalid):
        meta_features(X, np.array([]), "regression")


def test_twenty_thousand_rows_by_thirty_columns_take_less_than_a_second() -> None:
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(20_000, 24)), columns=[f"x{i}" for i in range(24)])
    X = X.assign(**{f"c{i}": random.choice(list("abcdef"), 20_000) for i in range(6)})
    y = random.integers(0, 2, 20_000)
    taken = []
    for _ in range(3):
        started = time.process_time()
        meta_features(X, y, "binary_classification")
        taken.append(time.process_time() - started)
    assert min(taken) < 1.0


def test_landmarkers_separate_a_linear_problem_from_a_nonlinear_one() -> None:
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(1500, 4)), columns=list("abcd"))
    straight = landmarkers(X, (X["a"] + X["b"] > 0).to_numpy().astype(int), "binary_classification")
    crooked = landmarkers(X, (X["a"] * X["b"] > 0).to_numpy().astype(int), "binary_classification")
    assert straight["landmark_linear"] > 0.95
    assert crooked["landmark_linear"] < 0.2 < crooked["landmark_tree"]


def test_landmarkers_do_not_depend_on_scale() -> None:
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(300, 3)), columns=list("abc"))
    y = (X["a"] > 0.5).to_numpy().astype(int)
    assert landmarkers(np.exp(3 * X), y, "binary_classification") == landmarkers(X, y, "binary_classification")
