"""Lasso of scikit-learn: a linear model on standardised features.

Its ``alpha`` is in the unit of the target. In the fit, the target has a standard deviation of 100. The default of
``alpha`` is therefore 0.01 standard deviations and its range 0.00001 to 0.1, for every unit of the target.
"""

from e2i_assets.core.algorithms.algorithm import Algorithm, fit_at_once
from e2i_assets.core.algorithms.consumption import NEVER, Consumption

ALGORITHM = Algorithm(
    name="Lasso",
    family="linear",
    complexity=11,
    framework="sklearn",
    classes={"regression": "sklearn.linear_model.Lasso"},
    preparation="scaled",
    default_values={"alpha": 1.0},
    space={"alpha": {"type": "float", "low": 0.001, "high": 10.0, "log": True}},
    fixed_values={"random_state": 42},
    accepts=frozenset({"tol", "max_iter", "fit_intercept", "positive"}),
    fit_estimator=fit_at_once,
    consumption=Consumption(only_for={"random_state": NEVER}),
    target_spread=100.0,
)
