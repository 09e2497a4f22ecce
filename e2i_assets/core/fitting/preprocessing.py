"""Preprocessing of a table into the feature matrix of an algorithm, fitted on the train rows alone.

It has no tuned parameter, so a study prepares its rows once, and the final model contains the same fitted steps.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from e2i_assets.core.algorithms.algorithm import Preparation
from e2i_assets.core.errors import E2iError
from e2i_assets.core.fitting.date_parts import (
    DATE_PARTS,
    DateFeatures,
    date_part,
    is_date,
    part_name,
    with_date_parts,
    without_zone,
)
from e2i_assets.core.fitting.fitted_model import MANY_VALUED, Precision, Preprocessing
from e2i_assets.core.fitting.many_categories import CrossFitted, encoded, many_valued
from e2i_assets.core.fitting.rows import RowSource
from e2i_assets.core.fitting.tree_precision import fine_columns, unscalable_columns
from e2i_assets.core.metrics import Array

RARE_CATEGORY_SHARE = 0.005
MOST_PLACES = 10_000
# The parts of a date that begin again: for a linear model each of their values is a column.
_CYCLES = ("month", "weekday", "hour")


def column_kinds(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the numeric and the categorical columns, each in the order of the table."""
    numeric = [name for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])]
    return numeric, [name for name in frame.columns if name not in set(numeric)]


def preprocessing(
    frame: pd.DataFrame,
    preparation: Preparation,
    fine: Collection[str] = (),
    dates: Mapping[str, DateFeatures] | None = None,
    many: Collection[str] = (),
    many_encoder: Any = "drop",
) -> Any:
    """Return an unfitted ColumnTransformer for the columns of ``frame``.

    ``ordinal``: categories become codes and missing values stay, for boosters that split on both. ``one_hot``: medians
    replace missing numbers, with an indicator column, and each category becomes a column. ``scaled``: the same,
    standardised. Numbers that trees cannot distinguish are replaced by their quantiles in the train rows; numbers too
    large to be standardised are first divided by the largest. The parts of dates are numbers; only days have an
    indicator column, and for linear models months, weekdays and hours are columns.
    Categories with many values are replaced by the mean target of their value.

    Args:
        frame: A table with these columns; of its rows only the number is used, as a limit of the quantiles.
        preparation: The preparation of the algorithm.
        fine: The columns that `tree_precision` found.
        dates: The date columns whose parts are in ``frame``.
        many: The columns that `many_categories.many_valued` found.
        many_encoder: Their encoder, fitted.
    """
    from sklearn.compose import ColumnTransformer

    numeric, categorical = column_kinds(frame)
    few = [name for name in categorical if name not in set(many)]
    calendar, cycles = _calendar(dates or {}, preparation)
    coarse = [name for name in numeric if name not in {*fine, *calendar, *cycles}]
    parts = [("numeric", _numeric(preparation), coarse)]
    if fine:
        parts.append(
            (
                "huge" if preparation == "scaled" else "fine",
                _placed(preparation, len(frame)),
                [name for name in numeric if name in set(fine)],
            )
        )
    if calendar:
        parts.append(("calendar", _numeric(preparation, add_indicator=False), calendar))
    if cycles:
        parts.append(("cycles", _categorical(preparation), cycles))
    parts.append(("categorical", _categorical(preparation), few))
    if many:
        parts.append((MANY_VALUED, many_encoder, list(many)))
    return ColumnTransformer(parts)


def category_positions(preparation: Preparation, steps: Preprocessing) -> tuple[int, ...]:
    """Return the positions of category codes in the prepared matrix, for an algorithm that splits on categories."""
    if preparation != "ordinal":
        return ()
    place = steps.columns.output_indices_["categorical"]
    return tuple(range(place.start, place.stop))


def directions(steps: Preprocessing, of_columns: Mapping[str, int]) -> tuple[int, ...]:
    """Return the direction of each prepared feature: that of its column of numbers, or 0; empty without any.

    Args:
        steps: Steps that make one feature of each column of numbers, in the order of the numbers.
        of_columns: 1 or -1 by the name of the column.

    Raises:
        E2iError: A column is not one of numbers.
    """
    if not of_columns:
        return ()
    places = steps.columns.output_indices_
    found, remaining = [0] * max(place.stop for place in places.values()), dict(of_columns)
    for step, _, names in steps.columns.transformers_:
        for position, name in enumerate(names if step in ("numeric", "fine") else ()):
            found[places[step].start + position] = remaining.pop(str(name), 0)
    if remaining:
        raise E2iError(f"columns.monotone: {next(iter(remaining))!r} is not a column of numbers")
    return tuple(found)


def precision(preparation: Preparation) -> Precision:
    """Return the precision of the matrix: single for trees, which read it, double for the solvers of linear models."""
    return "float64" if preparation == "scaled" else "float32"


def fitted(preparation: Preparation, rows: RowSource, target: Array) -> tuple[Preprocessing, CrossFitted]:
    """Return the preprocessing fitted on rows, and the encodings of these rows that a model may be fitted on.

    Args:
        preparation: The preparation of the algorithm.
        rows: The train rows.
        target: Their target for the encoding of categories (see `many_categories.encoded_target`).
    """
    from sklearn.frozen import FrozenEstimator

    dates = date_features(rows)
    many = many_valued(rows, column_kinds(with_date_parts(rows.blank(), dates))[1])
    if not many:
        return _fitted(preparation, rows, dates), CrossFitted((), np.empty((len(target), 0)), slice(0, 0))
    many_encoder, values = encoded(rows.columns(many), target, rows.entities, preparation == "scaled")
    steps = _fitted(preparation, rows, dates, many, FrozenEstimator(many_encoder))
    return steps, CrossFitted(tuple(many), values, steps.columns.output_indices_[MANY_VALUED])


def _fitted(
    preparation: Preparation,
    rows: RowSource,
    dates: Mapping[str, DateFeatures],
    many: Sequence[str] = (),
    many_encoder: Any = "drop",
) -> Preprocessing:
    """Fit the steps besides the encoder; when only categories must be fitted, no numeric column is read."""

    def pieces(names: Sequence[str] | None) -> Iterator[pd.DataFrame]:
        return (with_date_parts(piece, dates) for piece in rows.pieces(names))

    fine = unscalable_columns(pieces) if preparation == "scaled" else fine_columns(pieces)
    if preparation != "ordinal" or fine:
        features = with_date_parts(rows.features, dates)
        return Preprocessing(preprocessing(features, preparation, fine, dates, many, many_encoder).fit(features), dates)
    blank = with_date_parts(rows.blank(), dates)
    few = [name for name in column_kinds(blank)[1] if name not in set(many)]
    shown = pd.concat([_first_of_each_value(piece) for piece in rows.pieces(few)], ignore_index=True)
    unfitted = preprocessing(blank, preparation, (), dates, many, many_encoder)
    return Preprocessing(unfitted.fit(completed(shown, blank, many)), dates)


def completed(table: pd.DataFrame, blank: pd.DataFrame, categorical: Collection[str]) -> pd.DataFrame:
    """Return a table with the columns of ``blank``; those that it lacks have missing cells.

    Args:
        table: Some of the columns of ``blank``.
        blank: A table with the names and types of all columns.
        categorical: The categorical columns that the table lacks: encoders refuse missing cells of another type.
    """
    return table.reindex(columns=blank.columns).astype({name: blank.dtypes[name] for name in categorical})


def date_features(rows: RowSource) -> dict[str, DateFeatures]:
    """Return the features of each date column: the days since its first date, and the parts that vary in the rows."""
    blank = rows.blank()
    names = [str(name) for name in blank.columns if is_date(blank[name])]
    found: dict[str, DateFeatures] = {}
    for name, column in rows.columns(names).items() if names else ():
        has_offset, moments = column.dt.tz is not None, without_zone(column).dropna()
        varying = [part for part in DATE_PARTS if part == "days" or date_part(moments, part).nunique() > 1]
        first_day = str(moments.min().date()) if len(moments) else "1970-01-01"
        found[str(name)] = DateFeatures(parts=varying, first_day=first_day, has_offset=has_offset)
    return found


def _calendar(dates: Mapping[str, DateFeatures], preparation: Preparation) -> tuple[list[str], list[str]]:
    """Return the parts of dates besides the days: those that are numbers, and those that are one-hot columns."""
    parts = [(name, part) for name, of in dates.items() for part in of["parts"] if part != "days"]
    one_hot = _CYCLES if preparation == "scaled" else ()
    calendar = [part_name(name, part) for name, part in parts if part not in one_hot]
    return calendar, [part_name(name, part) for name, part in parts if part in one_hot]


def _first_of_each_value(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the first occurrence of any value of a column, at least one row."""
    first = np.arange(len(frame)) == 0
    for name in frame:
        first |= ~frame[name].duplicated().to_numpy()
    shown: pd.DataFrame = frame[first]
    return shown


def _numeric(preparation: Preparation, add_indicator: bool = True) -> Any:
    if preparation == "ordinal":
        return "passthrough"
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # A column that is empty in the train rows is kept and filled with zeros, so that all fits have the same width.
    imputer = SimpleImputer(strategy="median", add_indicator=add_indicator, keep_empty_features=True)
    return make_pipeline(imputer, StandardScaler()) if preparation == "scaled" else imputer


def _placed(preparation: Preparation, rows: int) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MaxAbsScaler, QuantileTransformer

    if preparation == "scaled":
        return make_pipeline(MaxAbsScaler(), _numeric(preparation))
    places = QuantileTransformer(n_quantiles=min(rows, MOST_PLACES), subsample=None)
    return places if preparation == "ordinal" else make_pipeline(places, _numeric(preparation))


def _categorical(preparation: Preparation) -> Any:
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    if preparation == "ordinal":
        return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    return OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=RARE_CATEGORY_SHARE, sparse_output=False, dtype=np.float64
    )
