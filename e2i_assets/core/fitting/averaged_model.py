"""The mean of several fitted models as one model: a `final_model: folds` has one for each fold.

Like `fitted_model`, this file is copied into every stored model and imports no other module of `e2i_assets`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from . import date_parts  # noqa: TID252
from .fitted_model import Array, FittedModel, decided  # noqa: TID252

# How classifiers are averaged: the log-odds, or the probabilities of those that have none.
Pool = Literal["log_odds", "probability"]


class AveragedModel:
    """The mean of fitted models of the same columns and classes; each has its own preprocessing.

    The value of a regression is the mean of their values. A class probability is the mean of theirs, or with the pool
    ``log_odds`` the softmax of the mean of their raw scores. The contributions of columns to log-odds add up in the
    mean too, but not to the log-odds of a mean probability.

    Args:
        models: The fitted models, without thresholds.
        threshold: See `FittedModel`.
        pool: How classifiers are averaged; ``log_odds`` is for boosters and linear models.
    """

    def __init__(
        self, models: Sequence[FittedModel], threshold: float | None = None, pool: Pool = "probability"
    ) -> None:
        self.models = tuple(models)
        self.threshold = threshold
        self.pool = pool
        self.classes_: Array | None = self.models[0].classes_

    @property
    def parts(self) -> dict[str, Any]:
        """The content of the model, which is stored."""
        return {"models": [one.parts for one in self.models], "threshold": self.threshold, "pool": self.pool}

    @property
    def feature_names_in_(self) -> list[str]:
        """The columns that the models were fitted on."""
        return self.models[0].feature_names_in_

    @property
    def column_kinds(self) -> dict[str, str]:
        """What each column holds: ``number``, ``category`` or ``date``."""
        return self.models[0].column_kinds

    @property
    def encodings(self) -> dict[str, str]:
        """How columns become numbers in any of the models, see `FittedModel.encodings`."""
        return {name: how for one in reversed(self.models) for name, how in one.encodings.items()}

    @property
    def dates(self) -> dict[str, date_parts.DateFeatures]:
        """The features of each date column in the first model."""
        return self.models[0].dates

    def accept_date_forms(self, forms: Mapping[str, str]) -> None:
        """Also accept the dates of some columns in the form that the source has, see `DateFeatures`."""
        for one in self.models:
            one.accept_date_forms(forms)

    def known_categories(self) -> dict[str, list[Any]]:
        """Return the categories of each column that any of the models knows."""
        found: dict[str, dict[Any, None]] = {}
        for one in self.models:
            for name, categories in one.known_categories().items():
                found.setdefault(name, {}).update(dict.fromkeys(categories))
        return {name: list(categories) for name, categories in found.items()}

    def predict(self, frame: pd.DataFrame) -> Array:
        """Return a class name or a value per row: shape (n,).

        Raises:
            ValueError: A column is missing, or a numeric column contains a value that is not a number.
        """
        if self.classes_ is None:
            return np.asarray(np.mean([one.predict(frame) for one in self.models], axis=0))
        return self.decisions(self.predict_proba(frame))

    def decisions(self, scores: Array) -> Array:
        """Return the class name that the threshold decides on for each row of `predict_proba`: shape (n,)."""
        assert self.classes_ is not None
        return decided(self.classes_, scores, self.threshold)

    def predict_proba(self, frame: pd.DataFrame) -> Array:
        """Return class probabilities: shape (n, k), in the order of ``classes_``.

        Raises:
            ValueError: The model is a regression, a column is missing, or a numeric column contains another value.
        """
        if self.classes_ is None or self.pool == "probability":
            return np.asarray(np.mean([one.predict_proba(frame) for one in self.models], axis=0))
        raw = np.mean([one.log_odds(frame) for one in self.models], axis=0)
        if raw.ndim == 1:
            raw = np.column_stack([np.zeros(len(raw)), raw])
        shifted = np.exp(raw - raw.max(axis=1, keepdims=True, initial=-np.inf))
        return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


Model = FittedModel | AveragedModel
