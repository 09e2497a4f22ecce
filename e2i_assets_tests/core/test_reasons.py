"""Reasons add up to the raw prediction, belong to source columns, and are refused where an algorithm has none."""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fitted_models import PAIRS, averaged, fitted, table

from e2i_assets.core.fitting.fitted_model import FittedModel, readable
from e2i_assets.core.fitting.reasons import MOST_REASONS, NotExplained, contributions, top_reasons

EXPLAINED = ("XGBoost", "LightGBM", "CatBoost", "LogisticRegression", "Ridge", "Lasso")


@cache
def model_of(name: str, problem: str) -> FittedModel:
    return fitted(name, problem)


def raw(model: FittedModel, frame: pd.DataFrame) -> np.ndarray:
    """The raw prediction in the notation of its library, computed without contributions: shape (n, outputs)."""
    if model.classes_ is None:
        return model.predict(frame)[:, None]
    x, estimator = model.prepared(frame), model.estimator
    package = type(estimator).__module__.partition(".")[0]
    found: Any
    if package == "xgboost":
        found = estimator.predict(x, output_margin=True)
    elif package == "lightgbm":
        found = estimator.predict(x, raw_score=True)
    elif package == "catboost":
        found = estimator.predict(readable(estimator, x), prediction_type="RawFormulaVal")
    else:
        found = estimator.decision_function(x)
    return np.asarray(found, dtype=float).reshape(len(x), -1)


@pytest.mark.parametrize(("name", "problem"), [pair for pair in PAIRS if pair[0] in EXPLAINED])
def test_contributions_add_up_to_the_raw_prediction(name: str, problem: str) -> None:
    model, frame = model_of(name, problem), table()
    found = contributions(model, frame)
    assert found.columns == tuple(frame.columns)
    expected = raw(model, frame)
    np.testing.assert_allclose(found.total, expected, rtol=1e-6, atol=1e-6)
    assert np.abs(found.values).sum() > 0


@pytest.mark.parametrize(("name", "problem"), [pair for pair in PAIRS if pair[0] in EXPLAINED])
def test_contributions_add_up_to_the_prediction_of_a_mean_of_models(name: str, problem: str) -> None:
    model, frame = averaged(name, problem), table()
    found = contributions(model, frame)
    assert found.columns == tuple(frame.columns)
    if problem == "regression":
        expected = model.predict(frame)[:, None]
        np.testing.assert_allclose(expected, np.mean([raw(one, frame) for one in model.models], axis=0), rtol=1e-12)
    else:
        log = np.log(model.predict_proba(frame))
        expected = log[:, 1:] - log[:, :1] if problem.startswith("binary") else log - log.mean(axis=1, keepdims=True)
    total = found.total - (found.total.mean(axis=1, keepdims=True) if problem.startswith("multi") else 0)
    np.testing.assert_allclose(total, expected, rtol=1e-6, atol=1e-6)
    reasons = pd.DataFrame(top_reasons(model, frame, model.predict(frame)))
    assert reasons["effect_1"].abs().ge(reasons["effect_2"].abs()).all()


@pytest.mark.parametrize(("name", "problem"), [pair for pair in PAIRS if pair[0] not in EXPLAINED])
def test_a_mean_of_models_without_reasons_averages_their_probabilities(name: str, problem: str) -> None:
    model, frame = averaged(name, problem), table()
    of = [one.predict(frame) if problem == "regression" else one.predict_proba(frame) for one in model.models]
    found = model.predict(frame) if problem == "regression" else model.predict_proba(frame)
    np.testing.assert_allclose(found, np.mean(of, axis=0), rtol=1e-12)
    with pytest.raises(NotExplained, match="gives no reasons of its predictions"):
        contributions(model, frame)


@pytest.mark.parametrize(("name", "problem"), [pair for pair in PAIRS if pair[0] in EXPLAINED])
def test_a_change_of_one_column_changes_a_linear_model_by_its_contribution_alone(name: str, problem: str) -> None:
    model, frame = model_of(name, problem), table()
    before = contributions(model, frame)
    other = frame.assign(region="south", seen=frame["seen"] + pd.Timedelta(days=40))
    after = contributions(model, other)
    changed = [before.columns.index(column) for column in ("region", "seen")]
    if name in ("LogisticRegression", "Ridge", "Lasso"):
        same = [position for position in range(len(before.columns)) if position not in changed]
        np.testing.assert_allclose(before.values[:, same], after.values[:, same], atol=1e-9)
    moved = (after.values - before.values).sum(axis=1)
    np.testing.assert_allclose(moved, after.total - before.total, atol=1e-6)
    np.testing.assert_allclose(after.total, raw(model, other), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["RandomForest", "ExtraTrees", "GradientBoosting", "HistGradientBoosting"])
def test_other_algorithms_say_that_they_give_no_reasons(name: str) -> None:
    with pytest.raises(NotExplained, match="gives no reasons of its predictions: XGBoost, LightGBM, CatBoost"):
        contributions(model_of(name, "regression"), table())


@pytest.mark.parametrize("problem", ["binary_classification", "multiclass_classification", "regression"])
def test_the_top_reasons_are_the_largest_effects_on_the_prediction(problem: str) -> None:
    model, frame = model_of("LightGBM", problem), table()
    decisions = model.predict(frame)
    found = pd.DataFrame(top_reasons(model, frame, decisions))
    assert list(found.columns) == [
        f"{kind}_{rank}" for rank in range(1, MOST_REASONS + 1) for kind in ("reason", "effect")
    ]
    values = contributions(model, frame).values
    for row in (0, 7, 100):
        output = list(model.classes_).index(decisions[row]) if problem.startswith("multi") else 0
        effects = dict(zip(frame.columns, values[row, :, output], strict=True))
        best = max(effects, key=lambda column: abs(effects[column]))
        assert found["reason_1"][row].startswith(f"{best} = ")
        assert found["effect_1"][row] == pytest.approx(effects[best])
    missing = int(np.flatnonzero(frame["share"].isna())[0])
    named = [str(found[f"reason_{rank}"][missing]) for rank in range(1, MOST_REASONS + 1)]
    assert not any(one.startswith("share = nan") for one in named)


def test_many_valued_and_rare_categories_belong_to_their_column() -> None:
    from e2i_assets.core.algorithms.prepared_data import Task
    from e2i_assets.core.algorithms.registry import algorithm
    from e2i_assets.core.fitting.fit_context import Rows, fit_context

    random = np.random.default_rng(4)
    frame = pd.DataFrame({"town": [f"t{one}" for one in random.integers(0, 90, 900)]})
    frame["kind"] = random.choice(["a", "b", "c", "rare"], 900, p=[0.5, 0.3, 0.198, 0.002])
    frame["share"] = random.normal(size=900)
    effect = frame["town"].str[1:].astype(int) / 30
    values = pd.Series(np.array(["low", "mid", "high"])[np.digitize(effect + random.normal(size=900), [1, 2])])
    chosen = algorithm("LogisticRegression")
    rows = Rows(frame.astype({"town": "category", "kind": "category"}), values)
    context = fit_context(chosen, Task("multiclass_classification", 3), rows, rows, ("high", "low", "mid"))
    model = context.model(context.fit({**chosen.default_values, **chosen.fixed_values}, None))
    found = contributions(model, frame)
    np.testing.assert_allclose(found.total, raw(model, frame), rtol=1e-6, atol=1e-6)
    spread = np.abs(found.values - found.values.mean(axis=0)).mean(axis=(0, 2))
    assert found.columns[int(spread.argmax())] == "town"
