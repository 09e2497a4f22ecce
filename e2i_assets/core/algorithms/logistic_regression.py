"""LogisticRegression of scikit-learn; the solver decides which penalties are sampled, so no sampled pair can fail."""

from typing import Any

from e2i_assets.core.algorithms.algorithm import Algorithm, fit_at_once
from e2i_assets.core.algorithms.consumption import Consumption
from e2i_assets.core.metrics import ProblemType

_L1_RATIO = {"l2": 0.0, "l1": 1.0}


def _with_l1_ratio(values: dict[str, Any], _: ProblemType) -> dict[str, Any]:
    """Convert the penalty to ``l1_ratio`` of scikit-learn 1.8 and later: 0 is l2, 1 is l1, else elastic net."""
    penalty = values.pop("penalty", "l2")
    if penalty in _L1_RATIO:
        values["l1_ratio"] = _L1_RATIO[penalty]
    return values


ALGORITHM = Algorithm(
    name="LogisticRegression",
    family="linear",
    complexity=12,
    in_auto=True,
    framework="sklearn",
    classes={
        "binary_classification": "sklearn.linear_model.LogisticRegression",
        "multiclass_classification": "sklearn.linear_model.LogisticRegression",
    },
    preparation="scaled",
    default_values={"C": 1.0, "penalty": "l2", "solver": "lbfgs"},
    space={
        "C": {"type": "float", "low": 0.001, "high": 100.0, "log": True},
        "solver": {"type": "categorical", "choices": ["lbfgs", "saga"]},
        "penalty": {"type": "categorical", "choices": ["l1", "l2", "elasticnet"], "when": {"solver": ["saga"]}},
        "l1_ratio": {"type": "float", "low": 0.1, "high": 0.9, "when": {"penalty": ["elasticnet"]}},
    },
    fixed_values={"random_state": 42, "max_iter": 1000},
    accepts=frozenset({"tol", "class_weight", "fit_intercept"}),
    fit_estimator=fit_at_once,
    consumption=Consumption(
        needs={"l1_ratio": {"penalty": ("elasticnet",)}}, completes={"penalty": ("elasticnet", "l1_ratio")}
    ),
    completions={"l1_ratio": 0.5},
    adapted=_with_l1_ratio,
)
