"""Reasons of a prediction: how much each source column contributed to the raw prediction of a row.

Boosters compute exact SHAP values of their trees (Lundberg et al., 2020, the path-dependent algorithm). The
contribution of a column to a linear model is its coefficient times its prepared value. Both add up to the raw
prediction: log-odds of a class, the value of a regression, or its natural logarithm where the loss has a logarithmic
link (Poisson, Gamma, Tweedie), so that e to the power of a contribution is the factor of its column. In a mean of fold
models, the mean contributions add up to the mean of the raw predictions, from which its probabilities are computed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from e2i_assets.core.errors import E2iError
from e2i_assets.core.fitting.averaged_model import Model, Pool
from e2i_assets.core.fitting.date_parts import part_name
from e2i_assets.core.fitting.fitted_model import Array, FittedModel, readable

LINEAR = ("LogisticRegression", "Ridge", "Lasso")
MOST_REASONS = 3
# The objectives of XGBoost and LightGBM that predict the exponential of a sum.
_LOG_OBJECTIVES = frozenset({"count:poisson", "reg:gamma", "reg:tweedie", "poisson", "gamma", "tweedie"})


class NotExplained(E2iError):
    """The algorithm of the model gives no reasons."""


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """The contributions to the raw predictions of some rows.

    Attributes:
        columns: The source columns of the model.
        values: Shape (n, columns, outputs). One output for a regression and for two classes (the log-odds of the
            second), otherwise one for each class.
        base: Shape (outputs,): the raw prediction without any contribution.
        is_log: Whether the raw predictions are natural logarithms of the values of a regression.
    """

    columns: tuple[str, ...]
    values: Array
    base: Array
    is_log: bool = False

    @property
    def total(self) -> Array:
        """The raw predictions: shape (n, outputs)."""
        return np.asarray(self.values.sum(axis=1) + self.base)


def pool(model: FittedModel) -> Pool:
    """Return how classifiers of this kind are averaged: so that the contributions add up, where there are any."""
    return "log_odds" if _is_explained(model) else "probability"


def require_explained(model: Model) -> None:
    """Check that `contributions` can explain a model.

    Raises:
        NotExplained: It cannot.
    """
    if not _is_explained(model.models[0]):
        name = type(model.models[0].estimator).__name__
        raise NotExplained(
            f"{name} gives no reasons of its predictions: XGBoost, LightGBM, CatBoost, {', '.join(LINEAR)} do. Predict "
            "without --explain, or train the experiment with one of them"
        )
    if len(model.models) > 1 and _is_log(model.models[0]):
        raise NotExplained(
            "the effects of each fold model add up in logarithms, and those of the mean of their predictions do not. "
            "Predict without --explain, or train the experiment with final_model: refit"
        )


def contributions(model: Model, features: pd.DataFrame) -> Contributions:
    """Return the contribution of each source column to the raw prediction of each row.

    Contributions of the parts of a date, and of the columns of a category, are summed up for their source column. Those
    of a regression are in the unit of the target, or differences of its logarithm (`Contributions.is_log`).

    Args:
        model: A fitted model.
        features: The columns that it was fitted on.

    Raises:
        NotExplained: The algorithm gives no reasons.
    """
    require_explained(model)
    found = [_of_one(one, features) for one in model.models]
    values, base = (np.mean(part, axis=0) for part in zip(*((one.values, one.base) for one in found), strict=True))
    return Contributions(found[0].columns, values, base, found[0].is_log)


def _of_one(model: FittedModel, features: pd.DataFrame) -> Contributions:
    x = model.prepared(features)
    by_column, base = _of_matrix(model, x)
    names = tuple(model.feature_names_in_)
    origins = _origins(model)
    summed = np.zeros((len(x), len(names), by_column.shape[2]))
    for position, origin in enumerate(origins):
        summed[:, names.index(origin)] += by_column[:, position]
    if _is_log(model):
        return Contributions(names, summed, base + np.log(model.target_scale), is_log=True)
    if model.classes_ is None:
        return Contributions(names, summed * model.target_scale, base * model.target_scale + model.target_centre)
    return Contributions(names, summed, base)


def top_reasons(model: Model, features: pd.DataFrame, decisions: Array) -> dict[str, Array]:
    """Return the columns that contributed most to each prediction, with their values and effects.

    With more than two classes, the effects are on the log-odds of the predicted class.

    Args:
        model: A fitted model.
        features: The columns that it was fitted on.
        decisions: Shape (n,): its predictions.

    Returns:
        Columns of a table: ``reason_1``, ``effect_1`` and so on, the largest effect first.
    """
    found = contributions(model, features)
    effects = found.values[:, :, 0]
    if found.values.shape[2] > 1:
        codes = [list(model.classes_).index(one) for one in decisions]  # type: ignore[arg-type]
        effects = found.values[np.arange(len(effects)), :, codes]
    order = np.argsort(-np.abs(effects), axis=1, kind="stable")[:, :MOST_REASONS]
    texts = np.column_stack([_texts(name, features[name]) for name in found.columns])
    rows = np.arange(len(effects))
    columns: dict[str, Array] = {}
    for rank in range(order.shape[1]):
        chosen = order[:, rank]
        columns |= {f"reason_{rank + 1}": texts[rows, chosen], f"effect_{rank + 1}": effects[rows, chosen]}
    return columns


def _texts(name: str, column: pd.Series) -> Array:
    cells = column.map(lambda cell: f"{cell:.6g}" if isinstance(cell, float) else str(cell))
    return np.asarray(f"{name} = " + cells.astype(str).where(column.notna(), "missing"), dtype=object)


def _is_explained(model: FittedModel) -> bool:
    return _package(model) in ("xgboost", "lightgbm", "catboost") or type(model.estimator).__name__ in LINEAR


def _is_log(model: FittedModel) -> bool:
    """Return whether the estimator predicts the exponential of what its contributions add up to."""
    objective = getattr(model.estimator, "_objective", None) or getattr(model.estimator, "objective", None)
    return model.classes_ is None and objective in _LOG_OBJECTIVES


def _package(model: FittedModel) -> str:
    return type(model.estimator).__module__.partition(".")[0]


def _of_matrix(model: FittedModel, x: Array) -> tuple[Array, Array]:
    """Return the contributions of the prepared columns, shape (n, prepared, outputs), and the base (outputs,)."""
    estimator, width = model.estimator, x.shape[1]
    if _package(model) == "xgboost":
        found = _of_xgboost(estimator, x)
    elif _package(model) == "lightgbm":
        found = np.asarray(estimator.predict(x, pred_contrib=True), dtype=np.float64)
    elif _package(model) == "catboost":
        found = _of_catboost(estimator, x)
    else:
        coefficients = np.atleast_2d(estimator.coef_)
        values = x[:, :, None] * coefficients.T[None]
        return _all_classes(model, values, np.atleast_1d(np.asarray(estimator.intercept_, dtype=np.float64)))
    by_output = found.reshape(len(x), -1, width + 1).transpose(0, 2, 1)
    base = by_output[0, -1] if len(x) else np.zeros(by_output.shape[2])
    return _all_classes(model, by_output[:, :-1], base)


def _of_xgboost(estimator: Any, x: Array) -> Array:
    from xgboost import DMatrix

    given = DMatrix(
        x,
        missing=estimator.missing,
        feature_types=estimator.feature_types,
        enable_categorical=bool(estimator.enable_categorical),
    )
    found = estimator.get_booster().predict(given, pred_contribs=True)
    return np.asarray(found, dtype=np.float64)


def _of_catboost(estimator: Any, x: Array) -> Array:
    from catboost import Pool

    given = Pool(readable(estimator, x), cat_features=list(estimator.get_cat_feature_indices()))
    return np.asarray(estimator.get_feature_importance(given, type="ShapValues", thread_count=1), dtype=np.float64)


def _all_classes(model: FittedModel, values: Array, base: Array) -> tuple[Array, Array]:
    """Give each class of the model an output; a class without train rows has no contribution."""
    known = np.asarray(getattr(model.estimator, "classes_", ()), dtype=np.int64)
    if model.classes_ is None or values.shape[2] == 1 or len(known) == len(model.classes_):
        return values, base
    every, every_base = np.zeros((*values.shape[:2], len(model.classes_))), np.zeros(len(model.classes_))
    every[:, :, known], every_base[known] = values, base
    return every, every_base


def _origins(model: FittedModel) -> list[str]:
    """Return the source column of each column of the prepared matrix."""
    parts = {part_name(name, part): name for name, of in model.dates.items() for part in of["parts"]}
    places = model.preprocessing.output_indices_
    found: dict[int, str] = {}
    for name, step, columns in model.preprocessing.transformers_:
        place = places[name]
        if place.stop > place.start:
            sources = [parts.get(str(column), str(column)) for column in columns]
            found |= dict(zip(range(place.start, place.stop), _after(step, sources), strict=True))
    return [found[position] for position in range(len(found))]


def _after(step: Any, columns: Sequence[str]) -> list[str]:
    """Return the source of each column that a fitted step makes of columns with these sources."""
    kind = type(step).__name__
    if kind == "Pipeline":
        made = list(columns)
        for _, inner in step.steps:
            made = _after(inner, made)
        return made
    if kind == "FrozenEstimator":
        return _after(step.estimator, columns)
    if kind == "SimpleImputer":
        return [*columns, *_indicated(step, columns)]
    if kind == "OneHotEncoder":
        rare = step.infrequent_categories_
        counts = [
            len(of) if few is None else len(of) - len(few) + 1 for of, few in zip(step.categories_, rare, strict=True)
        ]
        return [column for column, count in zip(columns, counts, strict=True) for _ in range(count)]
    if kind == "TargetEncoder":
        count = len(step.classes_) if step.target_type_ == "multiclass" else 1
        return [column for column in columns for _ in range(count)]
    return list(columns)


def _indicated(imputer: Any, columns: Sequence[str]) -> Iterator[str]:
    if imputer.indicator_ is not None:
        yield from (columns[position] for position in imputer.indicator_.features_)
