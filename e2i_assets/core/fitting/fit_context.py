"""The fit context: rows prepared once for many fits. Every trial of a search and the final training fit through it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from e2i_assets.core.algorithms.algorithm import Algorithm, Fit, from_scores, predicted
from e2i_assets.core.algorithms.early_stopping import FitMonitor
from e2i_assets.core.algorithms.prepared_data import Matrix, PreparedData, Task
from e2i_assets.core.errors import E2iError
from e2i_assets.core.fitting.averaged_model import Model
from e2i_assets.core.fitting.fitted_model import FittedModel, Preprocessing, matrix, readable
from e2i_assets.core.fitting.learnt_rows import learnt_rows
from e2i_assets.core.fitting.many_categories import CrossFitted, encoded_target
from e2i_assets.core.fitting.preprocessing import category_positions, directions, fitted, precision
from e2i_assets.core.fitting.rows import RowSource, pieces
from e2i_assets.core.fitting.weighting import product, relative
from e2i_assets.core.imbalance import AS_THEY_COME, Balancing
from e2i_assets.core.metrics import Array, Prediction


@dataclass(frozen=True, slots=True)
class Rows:
    """In-memory rows for fitting or evaluation.

    Attributes:
        features: Shape (n, features), with the columns of the dataset.
        target: Shape (n,): labels, or the values of a regression.
        entities: Shape (n,): a code for the entity of each row; None if each row is an entity.
        weights: Shape (n,): sample weights; None weights all rows equally.
    """

    features: pd.DataFrame
    target: pd.Series
    entities: Array | None = None
    weights: Array | None = None

    @property
    def can_be_read_again(self) -> bool:
        """False: the rows are in memory only."""
        return False

    def blank(self) -> pd.DataFrame:
        """Return an empty table with the names and types of the features."""
        return self.features.iloc[:0]

    def columns(self, names: Sequence[str]) -> pd.DataFrame:
        """Return all rows of some features."""
        return self.features[list(names)]

    def pieces(self, names: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """Yield the features, or some of them, in batches of rows and in order."""
        return pieces(self.features if names is None else self.columns(names))


def target_codes(target: pd.Series, classes: tuple[Any, ...]) -> Array:
    """Return class codes 0..k-1 in the order of ``classes``, or the float values when ``classes`` is empty.

    Raises:
        E2iError: A label is not one of the classes.
    """
    if not classes:
        return target.to_numpy(dtype=np.float64)
    codes: Array = pd.Index(classes).get_indexer(pd.Index(target)).astype(np.int64)
    if (codes < 0).any():
        raise E2iError(f"label {target.iloc[int(np.argmax(codes < 0))]!r} is not one of the classes {list(classes)}")
    return codes


def predicted_table(model: Model, features: pd.DataFrame) -> Prediction:
    """Return the prediction of a model for a table of features."""
    return Prediction(model.predict(features)) if model.classes_ is None else from_scores(model.predict_proba(features))


def merged(defaults: Mapping[str, Any], tuned: Mapping[str, Any], fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the full parameter set: the defaults, overridden by tuned values, overridden by fixed values."""
    return {**defaults, **tuned, **fixed}


@dataclass(frozen=True, slots=True)
class FitContext:
    """Train and validation rows, prepared once for all fits of a study; several threads can fit on it concurrently.

    Attributes:
        algorithm: The algorithm of the fits.
        preparation: The preprocessing fitted on the train rows.
        prepared_data: The matrices, and their binned form for boosters; its train rows may be resampled.
        classes: The labels in the order of their codes, empty for a regression.
        y_train: Shape (n,): class codes or values of the train rows before resampling.
        groups: For each feature whose values are compared as groups, a code per validation row, shape (n,).
        balancing: The treatment of class imbalance.
        train_weights: Shape (n,): sample weights of the rows of ``y_train``; None weights all rows equally.
        validation_weights: Shape (n,): those of the validation rows, for metrics.
    """

    algorithm: Algorithm
    preparation: Preprocessing
    prepared_data: PreparedData
    classes: tuple[Any, ...]
    y_train: Array
    groups: Mapping[str, Array] = field(default_factory=dict)
    balancing: Balancing = AS_THEY_COME
    train_weights: Array | None = None
    validation_weights: Array | None = None

    @property
    def task(self) -> Task:
        """The prediction task."""
        return self.prepared_data.task

    @property
    def y_validation(self) -> Array:
        """Class codes or values of the validation rows."""
        return self.prepared_data.y_validation

    def fit(self, parameters: Mapping[str, Any], patience: int | None = None, report: Any = None) -> Fit:
        """Fit on the train rows, and monitor the fit on the validation rows for early stopping or reports.

        Args:
            parameters: The full parameter set of the estimator.
            patience: Boosting rounds without improvement before a booster stops; None grows all of them.
            report: Called with the number of rounds so far and the prediction for the validation rows.

        Raises:
            E2iError: The fit would be monitored, and there are no validation rows.
        """
        monitored = report is not None or (patience is not None and self.algorithm.rounds_parameter is not None)
        if monitored and not len(self.y_validation):
            raise E2iError("a fit without validation rows has no early stopping and no reports")
        return self.algorithm.fit(parameters, self.prepared_data, FitMonitor(patience, report) if monitored else None)

    def on_validation(self, fit: Fit) -> Prediction:
        """Predict the validation rows."""
        return predicted(fit.estimator, readable(fit.estimator, self.prepared_data.x_validation), self.task, fit.unit)

    def on(self, fit: Fit, rows: RowSource) -> Prediction:
        """Predict rows other than the validation rows of this context."""
        x = matrix(self.preparation, rows.pieces(), len(rows.target), precision(self.algorithm.preparation))
        return predicted(fit.estimator, readable(fit.estimator, x), self.task, fit.unit)

    def used(self, parameters: Mapping[str, Any], fit: Fit) -> dict[str, Any]:
        """Return the parameters with the actual rounds of the fit: they reproduce it without early stopping."""
        name = self.algorithm.rounds_parameter
        return dict(parameters) if name is None or fit.rounds is None else {**parameters, name: fit.rounds}

    def model(self, fit: Fit, threshold: float | None = None) -> FittedModel:
        """Return preprocessing and estimator as one model, which predicts labels from tables at the threshold."""
        classes = np.asarray(self.classes) if self.classes else None
        return FittedModel(
            self.preparation.columns,
            fit.estimator,
            classes,
            threshold,
            precision(self.algorithm.preparation),
            target_centre=fit.unit.centre,
            target_scale=fit.unit.scale,
            dates=self.preparation.dates,
        )


def fit_context(
    algorithm: Algorithm,
    task: Task,
    train: RowSource,
    validation: RowSource | None,
    classes: tuple[Any, ...],
    group_columns: Sequence[str] = (),
    balancing: Balancing = AS_THEY_COME,
) -> FitContext:
    """Prepare train and validation rows; the preprocessing is fitted on the train rows alone.

    Args:
        algorithm: The algorithm of the fits.
        task: The prediction task.
        train: The rows of the fits.
        validation: The rows that monitor them; None for fits without early stopping, whose rounds are known.
        classes: The labels in the order of their codes, empty for a regression.
        group_columns: Features whose values are compared as groups of validation rows.
        balancing: The treatment of class imbalance.

    Raises:
        E2iError: A group column is not a feature, or a class has too few rows for resampling.
    """
    if missing := [column for column in group_columns if column not in train.blank().columns]:
        raise E2iError(f"{missing[0]!r} is not a feature of this table, so its groups cannot be compared")
    y_train = target_codes(train.target, classes)
    y_validation = y_train[:0] if validation is None else target_codes(validation.target, classes)
    preparation, cross_fitted = fitted(algorithm.preparation, train, encoded_target(y_train, classes))
    train_weights, validation_weights = (
        relative(train.weights),
        relative(None if validation is None else validation.weights),
    )
    learnt = learnt_rows(train, y_train, train_weights, cross_fitted, balancing, classes)
    rows = train if learnt.features is None else Rows(learnt.features, pd.Series(learnt.y))
    factors = None if learnt.class_factors is None else learnt.class_factors[y_validation]
    prepared_data = PreparedData(
        task=task,
        prepare_train=_preparing(algorithm, preparation, rows, learnt.cross_fitted),
        y_train=learnt.y,
        x_validation=_validation_matrix(algorithm, preparation, validation),
        y_validation=y_validation,
        categories=category_positions(algorithm.preparation, preparation),
        directions=directions(preparation, algorithm.directions),
        loss=algorithm.loss,
        train_weights=learnt.weights,
        validation_weights=product(validation_weights, factors),
    )
    compared = pd.DataFrame() if validation is None else validation.columns(group_columns)
    groups = {str(name): pd.factorize(column, use_na_sentinel=False)[0] for name, column in compared.items()}
    return FitContext(
        algorithm,
        preparation,
        prepared_data,
        classes,
        y_train,
        groups,
        balancing,
        train_weights=train_weights,
        validation_weights=validation_weights,
    )


def _validation_matrix(algorithm: Algorithm, preparation: Preprocessing, validation: RowSource | None) -> Matrix:
    dtype = precision(algorithm.preparation)
    if validation is None:
        width = max(place.stop for place in preparation.columns.output_indices_.values())
        return np.empty((0, width), dtype=dtype)
    return matrix(preparation, validation.pieces(), len(validation.target), dtype)


def _preparing(
    algorithm: Algorithm, preparation: Preprocessing, rows: RowSource, cross_fitted: CrossFitted
) -> Callable[[], Matrix]:
    """Return a function that returns the train matrix, either kept or made anew for the binning of a booster."""

    def prepared() -> Matrix:
        made = matrix(preparation, rows.pieces(), len(cross_fitted.values), precision(algorithm.preparation))
        made[:, cross_fitted.place] = cross_fitted.values
        return made

    if algorithm.bins_rows and rows.can_be_read_again:
        return prepared
    kept = prepared()
    return lambda: kept
