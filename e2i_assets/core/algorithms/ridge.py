"""Ridge of scikit-learn: a linear model on standardised features."""

from e2i_assets.core.algorithms.algorithm import Algorithm, fit_at_once
from e2i_assets.core.algorithms.consumption import NEVER, Consumption

ALGORITHM = Algorithm(
    name="Ridge",
    family="linear",
    complexity=10,
    in_auto=True,
    framework="sklearn",
    classes={"regression": "sklearn.linear_model.Ridge"},
    preparation="scaled",
    default_values={"alpha": 1.0},
    space={"alpha": {"type": "float", "low": 0.001, "high": 100.0, "log": True}},
    fixed_values={"random_state": 42},
    accepts=frozenset({"tol", "max_iter", "fit_intercept", "positive"}),
    fit_estimator=fit_at_once,
    # Only the solver for positive coefficients iterates; the others solve the equations directly.
    consumption=Consumption(
        only_for={"random_state": NEVER}, needs={"tol": {"positive": (True,)}, "max_iter": {"positive": (True,)}}
    ),
)
