"""Resampling of the train rows with imbalanced-learn. Rows for evaluation are never resampled.

Rows are resampled as a table, before the preprocessing, so that interpolated rows have existing categories; the
preprocessing is fitted on the original rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from e2i_assets.core.errors import E2iError
from e2i_assets.core.fitting.date_parts import days, is_date
from e2i_assets.core.imbalance import SYNTHETIC, Strategy
from e2i_assets.core.metrics import Array

_NEIGHBOURS = 5
_COMBINED_SHARE = 0.5


def resampled(
    features: pd.DataFrame, codes: Array, strategy: Strategy, seed: int, classes: tuple[Any, ...]
) -> tuple[pd.DataFrame, Array, Array]:
    """Resample train rows; ``none`` and ``class_weight`` return them unchanged.

    ``random_oversample`` repeats rows until all classes are as large as the largest, ``random_undersample`` drops rows
    until all are as small as the smallest. ``smote`` interpolates rows between neighbours of a class (SMOTE, SMOTE-NC
    or SMOTE-N, depending on the categorical columns); ``smote_tomek`` then removes each pair of nearest neighbours from
    two classes (Tomek links); ``combined`` interpolates rows only until a class is half as large as the largest.

    Args:
        features: Shape (n, features).
        codes: Shape (n,): class codes.
        strategy: The resampling strategy.
        seed: Seed of the resampling.
        classes: The labels, for the error message.

    Returns:
        The features, the class codes, and the position of each row before resampling, -1 for a synthetic row.

    Raises:
        E2iError: A class has too few rows for interpolation.
    """
    if strategy in ("none", "class_weight"):
        return features, codes, np.arange(len(codes))
    if strategy in SYNTHETIC:
        return _interpolated(features, codes, strategy, seed, classes)
    from imblearn.over_sampling import RandomOverSampler
    from imblearn.under_sampling import RandomUnderSampler

    kind = RandomOverSampler if strategy == "random_oversample" else RandomUnderSampler
    positions, chosen = kind(random_state=seed).fit_resample(np.arange(len(codes)).reshape(-1, 1), codes)
    return features.iloc[positions[:, 0]].reset_index(drop=True), np.asarray(chosen), positions[:, 0]


def _interpolated(
    features: pd.DataFrame, codes: Array, strategy: Strategy, seed: int, classes: tuple[Any, ...]
) -> tuple[pd.DataFrame, Array, Array]:
    counts = {int(code): int(count) for code, count in zip(*np.unique(codes, return_counts=True), strict=True)}
    share = _COMBINED_SHARE if strategy == "combined" else 1.0
    wanted = {code: max(count, round(share * max(counts.values()))) for code, count in counts.items()}
    growing = [count for code, count in counts.items() if wanted[code] > count]
    if not growing:
        return features, codes, np.arange(len(codes))
    if min(growing) < 2:
        alone = next(classes[code] for code, count in counts.items() if count < 2)
        raise E2iError(
            f"imbalance: {strategy} interpolates between two rows of a class, and {alone!r} has 1 train row: "
            "choose random_oversample or class_weight"
        )
    space = _Space.of(features)
    sampler = _sampler(space, wanted, min(_NEIGHBOURS, min(growing) - 1), seed)
    made, of_class = sampler.fit_resample(space.coordinates(features), codes)
    of_class = np.asarray(of_class)
    origin = np.concatenate([np.arange(len(codes)), np.full(len(of_class) - len(codes), -1)])
    added = space.table(made[len(codes) :])
    for name in space.dates:
        added[name] = _dates_of_class(added[name], of_class[len(codes) :], features[name], codes)
    table = pd.concat([features, added], ignore_index=True)
    if strategy == "smote_tomek":
        kept = _outside_tomek_links(space.distances(made), of_class)
        return table.iloc[kept].reset_index(drop=True), of_class[kept], origin[kept]
    return table, of_class, origin


def _dates_of_class(made: pd.Series, of_class: Array, dates: pd.Series, codes: Array) -> pd.Series:
    """Return for each interpolated number of days the nearest date of its class, which has a real weekday and hour."""
    found = pd.Series(pd.NaT, index=made.index, dtype=dates.dtype)
    for code in np.unique(of_class):
        known = dates[codes == code].dropna().drop_duplicates().sort_values()
        if len(known):
            points, rows = days(known), of_class == code
            nearest = np.searchsorted((points[1:] + points[:-1]) / 2, made[rows].to_numpy(dtype=np.float64))
            found[rows] = known.iloc[nearest].array
    return found


def _sampler(space: "_Space", wanted: Mapping[int, int], neighbours: int, seed: int) -> Any:
    from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC

    options = {"sampling_strategy": dict(wanted), "k_neighbors": neighbours, "random_state": seed}
    if not space.categories:
        return SMOTE(**options)
    if not space.numeric:
        return SMOTEN(**options)
    positions = list(range(len(space.numeric), len(space.numeric) + len(space.categories)))
    return SMOTENC(categorical_features=positions, **options)


def _outside_tomek_links(points: Array, codes: Array) -> Array:
    from imblearn.under_sampling import TomekLinks

    links = TomekLinks(sampling_strategy="all")
    links.fit_resample(points, codes)
    return np.sort(links.sample_indices_)


@dataclass(frozen=True, slots=True)
class _Space:
    """The space in which rows are points: standardised numbers, followed by category codes. Dates are numbers of days.

    For the neighbour search and for the interpolated rows, a missing number is the median and a missing category is a
    separate category; the original rows keep their missing values.
    """

    numeric: dict[str, tuple[float, float, float]]  # median, mean, standard deviation
    categories: dict[str, pd.Index]
    columns: tuple[str, ...]
    dates: tuple[str, ...]

    @classmethod
    def of(cls, features: pd.DataFrame) -> "_Space":
        numeric, categories = {}, {}
        for name in features.columns:
            column = features[name]
            is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
            if is_number or is_date(column):
                values = _numbers(column)
                known = values[~np.isnan(values)]
                spread = float(known.std()) if len(known) else 1.0
                middle, mean = (float(np.median(known)), float(known.mean())) if len(known) else (0.0, 0.0)
                numeric[name] = (middle, mean, spread or 1.0)
            else:
                categories[name] = pd.Index(features[name].unique())
        dates = tuple(name for name in features.columns if is_date(features[name]))
        return cls(numeric, categories, tuple(features.columns), dates)

    def coordinates(self, features: pd.DataFrame) -> Array:
        """Return shape (n, numbers + categories)."""
        points = np.empty((len(features), len(self.columns)))
        for place, (name, (middle, mean, spread)) in enumerate(self.numeric.items()):
            values = _numbers(features[name])
            points[:, place] = (np.where(np.isnan(values), middle, values) - mean) / spread
        for place, (name, known) in enumerate(self.categories.items(), start=len(self.numeric)):
            points[:, place] = known.get_indexer(pd.Index(features[name]))
        return points

    def distances(self, points: Array) -> Array:
        """Return the points with one column per category, so that two different categories have the distance 1."""
        parts = [points[:, : len(self.numeric)]]
        for place, values in enumerate(self.categories.values(), start=len(self.numeric)):
            parts.append(np.eye(len(values))[points[:, place].astype(int)] / np.sqrt(2))
        return np.hstack(parts)

    def table(self, points: Array) -> pd.DataFrame:
        """Return the rows that the points represent."""
        made: dict[str, Any] = {}
        for place, (name, (_, mean, spread)) in enumerate(self.numeric.items()):
            made[name] = points[:, place] * spread + mean
        for place, (name, values) in enumerate(self.categories.items(), start=len(self.numeric)):
            made[name] = values.take(points[:, place].astype(int))
        return pd.DataFrame({name: made[name] for name in self.columns})


def _numbers(column: pd.Series) -> Array:
    if is_date(column):
        return days(column)
    values: Array = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return values
