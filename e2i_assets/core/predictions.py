"""The table of predictions: for each new row its keys, the decision, the probabilities, and which model made them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict

from e2i_assets.core.errors import DataInvalid, Violation
from e2i_assets.core.fitting.averaged_model import Model
from e2i_assets.core.fitting.reasons import top_reasons

# A sample of the new rows is compared with the train rows: more rows do not change the conclusion.
MOST_COMPARED = 20_000
PREDICTION = "prediction"
PROBABILITY = "probability_"
ROW = "row"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLineage:
    """The model of predictions; its fields are columns of the table.

    Attributes:
        model_version: The version in MLflow, empty if MLflow does not have the model.
        model_key: The key of the model in `ml_model_registry`.
        study_key: The key of its study and training.
        training_run_id: The id in `ml_training_runs`.
        predicted_at: When the scoring began, in UTC.
    """

    model_version: str
    model_key: str
    study_key: str
    training_run_id: str
    predicted_at: datetime


class NewPredictions(BaseModel):
    """Predictions of new rows in a file or a table, and how these rows differ from the train rows.

    Attributes:
        key: The hash of the rows, the model and the place; with an equal key there is nothing to do.
        place: The file, or the table and the variable with its address.
        content: The SHA-256 of the file, or the number of rows of this scoring that were in the table.
        rows: The number of rows.
        rows_before: The number of rows of the predictions before; None for the first ones.
        compared_rows: The number of rows that were compared with the train rows.
        unseen: By column, the number of rows with a category that the train rows do not have.
        not_used: Columns of the source that nothing uses.
        schema_mistakes: What the schema file does not allow in the compared rows; None without that file.
        drift: The drift of each feature, the most drifted first: documents of `automation.drift.FeatureDrift`.
        score_drift: The same for the scores, compared with those of the test rows; None with too few rows.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    place: str
    content: str
    rows: int
    rows_before: int | None
    compared_rows: int
    model_version: str
    model_key: str
    study_key: str
    training_run_id: str
    predicted_at: datetime
    unseen: dict[str, int]
    not_used: tuple[str, ...]
    schema_mistakes: tuple[str, ...] | None
    drift: tuple[dict[str, Any], ...]
    score_drift: dict[str, Any] | None


@dataclass(slots=True)
class Thinned:
    """Every k-th row of a table that comes in pieces, `MOST_COMPARED` to twice as many if there are enough."""

    parts: list[pd.DataFrame] = field(default_factory=list)
    _step: int = 1
    _seen: int = 0

    def add(self, piece: pd.DataFrame) -> None:
        """Add the rows of a piece that are due, and drop every second row when there are too many."""
        first = -self._seen % self._step
        self.parts.append(piece.iloc[first :: self._step])
        self._seen += len(piece)
        while sum(map(len, self.parts)) > 2 * MOST_COMPARED:
            self.parts, self._step = [self.table().iloc[::2]], 2 * self._step

    def table(self) -> pd.DataFrame:
        """Return the rows."""
        return pd.concat(self.parts, ignore_index=True)


def scores_of(model: Model, features: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of a model as one column: values, the probability of the second of two classes, or classes."""
    if model.classes_ is None:
        return pd.DataFrame({"score": model.predict(features)})
    if len(model.classes_) == 2:
        return pd.DataFrame({"score": model.predict_proba(features)[:, 1]})
    return pd.DataFrame({"score": pd.Series(model.predict(features)).astype(str).astype("category")})


def predictions(
    model: Model,
    features: pd.DataFrame,
    keys: Mapping[str, pd.Series],
    first: int,
    lineage: ModelLineage,
    explain: bool = False,
) -> pd.DataFrame:
    """Return the predictions of a piece of new rows.

    Args:
        model: The model.
        features: From `data.new_rows`.
        keys: The columns that identify a row; without any, the number of the row does.
        first: The number of the first row, from 1.
        lineage: The model's lineage.
        explain: Whether to add the reasons of each prediction.

    Raises:
        DataInvalid: A key has the name of a column of the predictions.
    """
    columns: dict[str, object] = {}
    if model.classes_ is None:
        decided = columns[PREDICTION] = model.predict(features)
    else:
        scores = model.predict_proba(features)
        decided = model.decisions(scores)
        columns[PREDICTION] = decided.astype(str).astype(object)
        columns |= {f"{PROBABILITY}{name}": scores[:, k] for k, name in enumerate(model.classes_)}
    if explain:
        columns |= top_reasons(model, features, decided)
    columns |= {name: getattr(lineage, name) for name in ModelLineage.__slots__}
    if taken := sorted(keys.keys() & {*columns, ROW}):
        rule = "is a column of the predictions too: give it another name in the source"
        raise DataInvalid("new rows", [Violation("columns", name, rule) for name in taken])
    named = dict(keys) or {ROW: pd.RangeIndex(first, first + len(features)).to_series(index=features.index)}
    return pd.DataFrame({**named, **columns}, index=features.index)
