"""A fitted estimator with its preprocessing: it predicts labels or values from a table.

Every stored model includes a copy of the files that load it (see `served_model`), so that it needs no `e2i_assets`.
Therefore these files import no other module of `e2i_assets`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

# Relative, because the files are copied together into every stored model.
from . import date_parts, served_cells  # noqa: TID252

Array = npt.NDArray[Any]
Precision = Literal["float32", "float64"]
ROWS_AT_A_TIME = 16_384
# The steps of the ColumnTransformer that read categories; the second reads those with many values.
MANY_VALUED = "many-valued"
CATEGORICAL = ("categorical", MANY_VALUED)


class Preprocessing:
    """The fitted steps from a table to a matrix: each date column becomes its parts, then a ColumnTransformer follows.

    Args:
        columns: Fitted ColumnTransformer.
        dates: The features of each date column.
    """

    def __init__(self, columns: Any, dates: Mapping[str, date_parts.DateFeatures]) -> None:
        self.columns = columns
        self.dates = dates

    def transform(self, frame: pd.DataFrame) -> Array:
        """Return shape (rows, prepared features)."""
        return np.asarray(self.columns.transform(date_parts.with_date_parts(frame, self.dates)))


class FittedModel:
    """A fitted model with its preprocessing, its class names and its decision threshold.

    Args:
        preprocessing: Fitted ColumnTransformer.
        estimator: Fitted estimator on class codes or values.
        classes: Labels in the order of their codes, None for a regression.
        threshold: Two classes only: the lowest probability of the second class that predicts it; None predicts the more
            probable class.
        precision: Precision of the matrix that the estimator reads, the same as in its fit.
        target_centre, target_scale: The estimator predicts ``(value - target_centre) / target_scale``.
        dates: The features of each date column, which the ColumnTransformer reads instead of the column.
    """

    def __init__(
        self,
        preprocessing: Any,
        estimator: Any,
        classes: Array | None = None,
        threshold: float | None = None,
        precision: Precision = "float64",
        target_centre: float = 0.0,
        target_scale: float = 1.0,
        dates: Mapping[str, date_parts.DateFeatures] | None = None,
    ) -> None:
        self.preprocessing = preprocessing
        self.estimator = estimator
        self.classes_ = classes
        self.threshold = threshold
        self.precision = precision
        self.target_centre = target_centre
        self.target_scale = target_scale
        self.dates = dict(dates or {})

    @property
    def models(self) -> "tuple[FittedModel, ...]":
        """The fitted models whose mean it is: itself."""
        return (self,)

    @property
    def parts(self) -> dict[str, Any]:
        """The constructor arguments of the model, which are stored."""
        return {
            "preprocessing": self.preprocessing,
            "estimator": self.estimator,
            "classes": self.classes_,
            "threshold": self.threshold,
            "precision": self.precision,
            "target_centre": self.target_centre,
            "target_scale": self.target_scale,
            "dates": self.dates,
        }

    @property
    def feature_names_in_(self) -> list[str]:
        """The columns that it was fitted on."""
        source = {date_parts.part_name(name, part): name for name, of in self.dates.items() for part in of["parts"]}
        return list(dict.fromkeys(source.get(str(name), str(name)) for name in self.preprocessing.feature_names_in_))

    @property
    def column_kinds(self) -> dict[str, str]:
        """What each column holds: ``number``, ``category`` or ``date``."""
        named = {name: columns for name, _, columns in self.preprocessing.transformers_}
        categories = [name for step in CATEGORICAL for name in named.get(step, ())]
        kinds = dict.fromkeys(categories, "category") | dict.fromkeys(self.dates, "date")
        return {name: kinds.get(name, "number") for name in self.feature_names_in_}

    @property
    def encodings(self) -> dict[str, str]:
        """How columns become numbers, if their kind does not say it: by the target, by ranks, as parts of a date."""
        named = {name: columns for name, _, columns in self.preprocessing.transformers_}
        found = dict.fromkeys(named.get(MANY_VALUED, ()), "target-encoded")
        found |= dict.fromkeys(named.get("fine", ()), "ranks among the train rows")
        return found | {name: ", ".join(of["parts"]) for name, of in self.dates.items()}

    def accept_date_forms(self, forms: Mapping[str, str]) -> None:
        """Also accept the dates of some columns in the form that the source has, see `DateFeatures`."""
        for name in self.dates.keys() & forms.keys():
            self.dates[name] = {**self.dates[name], "form": forms[name]}

    def predict(self, frame: pd.DataFrame) -> Array:
        """Return a class name or a value per row: shape (n,).

        Raises:
            ValueError: A column is missing, or a numeric column contains a value that is not a number.
        """
        if self.classes_ is None:
            x = self.prepared(frame)
            predicted = np.asarray(
                self.estimator.predict(readable(self.estimator, x)) if len(x) else [], dtype=np.float64
            )
            return predicted * self.target_scale + self.target_centre
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
        if self.classes_ is None:
            raise ValueError("a regression predicts values, not probabilities: call predict")
        x = self.prepared(frame)
        scores = np.zeros((len(x), len(self.classes_)))
        if not len(x):  # scikit-learn raises for a matrix without rows
            return scores
        # The estimator returns no column for a class without train rows.
        scores[:, np.asarray(self.estimator.classes_, dtype=np.int64)] = self.estimator.predict_proba(
            readable(self.estimator, x)
        )
        # The probabilities of XGBoost are in single precision and sum to one only within 1e-7.
        return np.asarray(scores / scores.sum(axis=1, keepdims=True))

    def log_odds(self, frame: pd.DataFrame) -> Array:
        """Return the raw scores of a booster or a linear classifier, whose softmax are the probabilities.

        Returns:
            Shape (n,): the log-odds of the second of two classes; shape (n, k) for k > 2 classes.
        """
        x, package = self.prepared(frame), type(self.estimator).__module__.partition(".")[0]
        if not len(x):  # scikit-learn raises for a matrix without rows
            return np.zeros((0, *([] if len(self.estimator.classes_) == 2 else [len(self.estimator.classes_)])))
        if package == "xgboost":
            found = self.estimator.predict(x, output_margin=True)
        elif package == "lightgbm":
            found = self.estimator.predict(x, raw_score=True)
        elif package == "catboost":
            found = self.estimator.predict(readable(self.estimator, x), prediction_type="RawFormulaVal")
        else:
            found = self.estimator.decision_function(x)
        return np.asarray(found, dtype=np.float64)

    def prepared(self, frame: pd.DataFrame) -> Array:
        """Return the matrix that the estimator reads: shape (n, prepared features).

        Raises:
            ValueError: A column is missing, or a numeric column contains a value that is not a number.
        """
        if missing := [name for name in self.column_kinds if name not in frame.columns]:
            raise ValueError(f"these columns of the model are missing: {', '.join(missing)}")
        steps = Preprocessing(self.preprocessing, self.dates)
        return matrix(steps, self._pieces(frame), len(frame), self.precision)

    def _pieces(self, frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
        kinds, known = self.column_kinds, self.known_categories()
        for start in range(0, len(frame), ROWS_AT_A_TIME):
            part = frame.iloc[start : start + ROWS_AT_A_TIME]
            columns = {
                name: served_cells.numbers(part[name])
                if kind == "number"
                else served_cells.categories(part[name], known.get(name, []))
                for name, kind in kinds.items()
                if kind != "date"
            }
            yield pd.DataFrame({**columns, **part[list(self.dates)]}, index=part.index)

    def known_categories(self) -> dict[str, list[Any]]:
        """Return the categories of each column in its encoder, including the one for a missing value.

        Values with very few train rows are not among those of a column with many values.
        """
        found: dict[str, list[Any]] = {}
        for step, encoder, names in self.preprocessing.transformers_:
            if step in CATEGORICAL:
                encoder = encoder.estimator[0] if step == MANY_VALUED else encoder
                found |= zip(names, map(list, getattr(encoder, "categories_", ())), strict=False)
        return found


def readable(estimator: Any, x: Array) -> Any:
    """Return a prepared matrix as the estimator reads it: CatBoost accepts categories as whole numbers only.

    A missing or unknown category is -1.
    """
    categories = estimator.get_cat_feature_indices() if hasattr(estimator, "get_cat_feature_indices") else ()
    if not len(categories):
        return x
    frame = pd.DataFrame(x)
    for position in categories:
        frame[position] = np.nan_to_num(x[:, position], nan=-1).astype(np.int64)
    return frame


def decided(classes: Array, scores: Array, threshold: float | None) -> Array:
    """Return the class name for each row of probabilities, shape (n, k): at the threshold, else the most probable."""
    codes = scores.argmax(axis=1) if threshold is None else (scores[:, 1] >= threshold).astype(int)
    return np.asarray(classes[codes])


def matrix(preprocessing: Any, parts: Iterable[pd.DataFrame], rows: int, dtype: Precision) -> Array:
    """Apply fitted preprocessing to a table batch by batch; only one batch at a time is in double precision.

    Returns:
        Shape (rows, prepared features), in C order.
    """
    made: Array = np.empty((rows, 0), dtype=dtype)
    start, largest = 0, np.finfo(dtype).max
    for part in parts:
        # A tree does not distinguish numbers beyond single precision, and refuses an infinite one.
        prepared = np.clip(np.asarray(preprocessing.transform(part), dtype=np.float64), -largest, largest)
        if start == 0:
            made = np.empty((rows, prepared.shape[1]), dtype=dtype)
        made[start : start + len(prepared)] = prepared
        start += len(prepared)
    return made
