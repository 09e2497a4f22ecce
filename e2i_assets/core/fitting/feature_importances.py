"""What a fitted estimator says about the importance of the columns that it reads."""

from collections import defaultdict

import numpy as np

from e2i_assets.core.fitting.averaged_model import Model
from e2i_assets.core.fitting.fitted_model import FittedModel


def feature_importances(model: Model) -> dict[str, float]:
    """Return the importance that the estimator gives each column of its matrix, the largest first.

    Trees: the share of the gain; linear models: the absolute coefficient, averaged over the classes. The values are
    comparable within a model, not between models. For a mean of models it is the mean; a column that a model lacks has
    no importance in it.
    """
    found: defaultdict[str, float] = defaultdict(float)
    for one in model.models:
        for name, importance in _importances(one).items():
            found[name] += importance / len(model.models)
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def _importances(model: FittedModel) -> dict[str, float]:
    estimator = model.estimator
    if hasattr(estimator, "booster_"):  # LightGBM counts splits by default, which overrates noise features
        gain = estimator.booster_.feature_importance("gain")
        found = gain / (gain.sum() or 1.0)
    elif hasattr(estimator, "get_feature_importance"):  # CatBoost does not keep them with a loaded model
        found = np.asarray(estimator.get_feature_importance()) / 100.0
    elif hasattr(estimator, "feature_importances_"):
        found = estimator.feature_importances_
    else:
        found = np.abs(np.atleast_2d(estimator.coef_)).mean(axis=0) * model.target_scale
    return dict(zip(_prepared_names(model), np.asarray(found, dtype=np.float64).tolist(), strict=True))


def _prepared_names(model: FittedModel) -> list[str]:
    """Return a name for each column of the matrix; one that is taken already gets a number."""
    steps = tuple(f"{step}__" for step, _, _ in model.preprocessing.transformers_)
    found: dict[str, None] = {}
    for whole in map(str, model.preprocessing.get_feature_names_out()):
        step = next((one for one in steps if whole.startswith(one)), "")
        name = base = whole.removeprefix(step).removesuffix(".0")
        number = 1
        while name in found:
            number += 1
            name = f"{base} ({number})"
        found[name] = None
    return list(found)
