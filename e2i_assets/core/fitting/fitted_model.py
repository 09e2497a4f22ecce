"""The model as its user meets it. Apart from `fitting`, because a scikit-learn estimator must import scikit-learn."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator  # noqa: TID253  # a base class cannot be imported later

from e2i_assets.core.algorithms.algorithm import predicted
from e2i_assets.core.algorithms.prepared_data import Task
from e2i_assets.core.algorithms.target_unit import TargetUnit
from e2i_assets.core.errors import E2iError
from e2i_assets.core.fitting.preprocessing import Precision, transformed
from e2i_assets.core.metrics import Array, Prediction


class FittedModel(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A model as its user meets it: a table in, labels or values out, preprocessing included.

    Args:
        preprocessing: Fitted ColumnTransformer.
        estimator: Fitted estimator on class codes or values.
        classes_: Labels in the order of their codes, None for a regression.
        precision: Of the matrix that the estimator reads, the same as when it was fitted.
        target_centre, target_scale: The `TargetUnit` in which the estimator predicts.
    """

    # A model that was stored before targets had a unit has neither of them.
    target_centre: float = 0.0
    target_scale: float = 1.0

    def __init__(
        self,
        preprocessing: Any,
        estimator: Any,
        classes_: Array | None = None,
        precision: Precision = "float64",
        target_centre: float = 0.0,
        target_scale: float = 1.0,
    ) -> None:
        self.preprocessing = preprocessing
        self.estimator = estimator
        self.classes_ = classes_
        self.precision = precision
        self.target_centre = target_centre
        self.target_scale = target_scale

    @property
    def feature_names_in_(self) -> list[str]:
        """The columns that it was fitted on."""
        return [str(name) for name in self.preprocessing.feature_names_in_]

    def _prediction(self, frame: pd.DataFrame) -> Prediction:
        x = transformed(self.preprocessing, frame[self.feature_names_in_], self.precision)
        return predicted(self.estimator, x, self._task(), TargetUnit(self.target_centre, self.target_scale))

    def _task(self) -> Task:
        if self.classes_ is None:
            return Task("regression")
        count = len(self.classes_)
        return Task("binary_classification" if count == 2 else "multiclass_classification", count)

    def feature_importances(self) -> dict[str, float]:
        """Return what the estimator itself says each column of its matrix is worth, the largest first.

        Trees: the share of the gain; linear models: the size of the coefficient, on average over the classes.
        Comparable within a model, not between models.
        """
        if hasattr(self.estimator, "booster_"):  # LightGBM counts splits of itself, and noise is split on often
            gain = self.estimator.booster_.feature_importance("gain")
            found = gain / (gain.sum() or 1.0)
        elif hasattr(self.estimator, "feature_importances_"):
            found = self.estimator.feature_importances_
        else:
            found = np.abs(np.atleast_2d(self.estimator.coef_)).mean(axis=0) * self.target_scale
        names = self.preprocessing.get_feature_names_out()
        pairs = zip(map(str, names), np.asarray(found, dtype=np.float64).tolist(), strict=True)
        return dict(sorted(pairs, key=lambda pair: -pair[1]))

    def predict(self, frame: pd.DataFrame) -> Array:
        """Return a label or a value per row: shape (n,)."""
        labels = self._prediction(frame).labels
        return labels if self.classes_ is None else np.asarray(self.classes_[labels])

    def predict_proba(self, frame: pd.DataFrame) -> Array:
        """Return class probabilities: shape (n, k), in the order of ``classes_``.

        Raises:
            E2iError: The model is a regression.
        """
        scores = self._prediction(frame).scores
        if scores is None:
            raise E2iError("a regression predicts values, not probabilities: call predict")
        return scores
