"""The one way a model is fitted: the search calls it for every trial, and the final training calls it once more."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from e2i_assets.core.algorithms.algorithm import Algorithm, Fit, Matrix, Task, Watch, predicted
from e2i_assets.core.errors import E2iError
from e2i_assets.core.fitting.preprocessing import preprocessing, transformed
from e2i_assets.core.metrics import Array, Prediction

if TYPE_CHECKING:
    from e2i_assets.core.fitting.fitted_model import FittedModel


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to learn from or to judge on.

    Attributes:
        features: Shape (n, features), in the columns of the dataset.
        target: Shape (n,): labels, or the values of a regression.
    """

    features: pd.DataFrame
    target: pd.Series


def target_codes(target: pd.Series, classes: tuple[Any, ...]) -> Array:
    """Return class codes 0..k-1 in the order of ``classes``, or the float values when there are none.

    Raises:
        E2iError: A label is not one of the classes.
    """
    if not classes:
        return target.to_numpy(dtype=np.float64)
    codes: Array = pd.Index(classes).get_indexer(pd.Index(target)).astype(np.int64)
    if (codes < 0).any():
        raise E2iError(f"label {target.iloc[int(np.argmax(codes < 0))]!r} is not one of the classes {list(classes)}")
    return codes


def merged(defaults: Mapping[str, Any], tuned: Mapping[str, Any], fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the full parameter set: defaults, overridden by what was tuned, overridden by what is fixed."""
    return {**defaults, **tuned, **fixed}


@dataclass(frozen=True, slots=True)
class Bench:
    """Train and validation rows, prepared once for all fits of a study.

    Attributes:
        preparation: The ColumnTransformer fitted on the train rows.
        x_train, y_train, x_validation, y_validation: Matrices and class codes or values.
        classes: The labels in the order of their codes, empty for a regression.
    """

    algorithm: Algorithm
    task: Task
    preparation: Any
    x_train: Matrix
    y_train: Array
    x_validation: Matrix
    y_validation: Array
    classes: tuple[Any, ...]

    def fit(self, parameters: Mapping[str, Any], patience: int | None = None, report: Any = None) -> Fit:
        """Fit the whole parameter set on the train rows, watched on the validation rows when asked to.

        Args:
            parameters: Every parameter of the estimator: nothing is added here.
            patience: Boosting rounds without improvement before a booster stops; None grows all of them.
            report: Called with the rounds grown so far and the prediction for the validation rows.
        """
        watched = report is not None or (patience is not None and self.algorithm.rounds_parameter is not None)
        watch = Watch(self.x_validation, self.y_validation, patience, report) if watched else None
        return self.algorithm.fit(parameters, self.x_train, self.y_train, self.task, watch)

    def on_validation(self, fit: Fit) -> Prediction:
        """Predict the validation rows."""
        return predicted(fit.estimator, self.x_validation, self.task)

    def used(self, parameters: Mapping[str, Any], fit: Fit) -> dict[str, Any]:
        """Return the parameters with the rounds that the fit really uses, so that they reproduce it unwatched."""
        name = self.algorithm.rounds_parameter
        return dict(parameters) if name is None or fit.rounds is None else {**parameters, name: fit.rounds}

    def model(self, fit: Fit) -> "FittedModel":
        """Join preprocessing and estimator into one model on tables and labels."""
        from e2i_assets.core.fitting.fitted_model import FittedModel

        classes = np.asarray(self.classes) if self.classes else None
        return FittedModel(self.preparation, fit.estimator, classes)


def bench(algorithm: Algorithm, task: Task, train: Rows, validation: Rows, classes: tuple[Any, ...]) -> Bench:
    """Prepare train and validation rows: everything is fitted on the train rows alone."""
    preparation = preprocessing(train.features, algorithm.preparation).fit(train.features)
    return Bench(
        algorithm=algorithm,
        task=task,
        preparation=preparation,
        x_train=transformed(preparation, train.features),
        y_train=target_codes(train.target, classes),
        x_validation=transformed(preparation, validation.features),
        y_validation=target_codes(validation.target, classes),
        classes=classes,
    )
