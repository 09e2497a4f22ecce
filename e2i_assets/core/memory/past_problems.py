"""Predicted regrets of configurations on past problems, also of configurations that a past study did not try.

A regret of 0 is the best that a study found, 1 a typical configuration of the space. It is predicted by a Gaussian
process over the trials of the study, after Wistuba, Schilling and Schmidt-Thieme, "Scalable Gaussian process-based
transfer surrogates for hyperparameter optimization" (Machine Learning 107, 2018). The process also smooths: the best of
sixty noisy values is too optimistic, and if all values are noise, all configurations have the same regret.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from e2i_assets.core.search_space.dimensions import CategoricalDimension, Dimension, is_finite, same
from e2i_assets.core.search_space.space import SearchSpace

Array = NDArray[np.float64]

# Regrets are capped, because the differences between bad configurations are of no use.
WORST_REGRET = 2.0
# The candidates for the length scale (in the unit cube) and for the variance of the noise relative to the signal. The
# pair with the largest marginal likelihood is used.
_LENGTHS = (0.4, 0.8, 1.6)
_NOISES = (0.01, 0.1, 0.3, 1.0)
_TYPICAL_POINTS = 128
_ABSENT = 0.5
# The limit of a coordinate outside the unit cube: its square must be finite.
_FARTHEST = 1e6


class PastProblem(BaseModel):
    """A stored study, as a warm start uses it.

    Attributes:
        similarity: Similarity of its rows to those of the new study, 0 to 1.
        trust: Share of its uses that helped, 0 to 1.
        regrets: The regret of each candidate of the warm start on this problem, in the order of the candidates.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    pattern_id: str
    study_name: str | None
    similarity: float
    trust: float = 1.0
    regrets: tuple[float, ...]


def regrets(
    trials: Sequence[Mapping[str, Any]], candidates: Sequence[Mapping[str, Any]], space: SearchSpace
) -> tuple[float, ...]:
    """Return the predicted regret of each candidate in a past study, in [0, `WORST_REGRET`].

    Args:
        trials: At least one completed trial of the study: ``values`` and ``value`` (higher is better).
        candidates: Configurations of the space.
        space: The space in which distances are measured.
    """
    known = encoded([trial["values"] for trial in trials], space)
    surrogate = _Surrogate.of(known, _without_disasters(np.array([trial["value"] for trial in trials], dtype=float)))
    typical = surrogate.at(np.random.default_rng(0).random((_TYPICAL_POINTS, known.shape[1])))
    best = max(float(surrogate.at(known).max()), float(typical.max()))
    scale = best - float(np.median(typical))
    if scale <= 1e-12 * max(1.0, abs(best)):
        return (0.0,) * len(candidates)
    predicted = (best - surrogate.at(encoded(candidates, space))) / scale
    return tuple(float(f"{value:.4g}") for value in np.clip(predicted, 0.0, WORST_REGRET))


def encoded(configurations: Sequence[Mapping[str, Any]], space: SearchSpace) -> Array:
    """Return configurations as points of the unit cube, shape (n, columns); choices are one-hot encoded."""
    columns = [column for name, dimension in space.items() for column in _columns(name, dimension, configurations)]
    return np.array(columns, dtype=float).T.reshape(len(configurations), len(columns))


def _columns(name: str, dimension: Dimension, configurations: Sequence[Mapping[str, Any]]) -> list[list[float]]:
    if isinstance(dimension, CategoricalDimension):
        return [
            [_ABSENT if name not in one else float(same(one[name], choice)) for one in configurations]
            for choice in dimension.choices
        ]
    low, high = float(dimension.low), float(dimension.high)
    if high <= low:
        return []

    def place(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not is_finite(value):
            return _ABSENT  # an imported memory may contain anything
        if dimension.log:
            return min(math.log(max(float(value), low) / low) / math.log(high / low), _FARTHEST)
        return min(max((float(value) - low) / (high - low), -_FARTHEST), _FARTHEST)

    return [[place(one.get(name)) for one in configurations]]


def _without_disasters(values: Array) -> Array:
    """Raise values that are far below all others, because one outlier would distort the whole Gaussian process.

    The values are scaled first: only differences matter, and the square of a large number is infinite.
    """
    values = values / (float(np.abs(values).max()) or 1.0)
    middle = float(np.median(values))
    lifted: Array = np.maximum(values, middle - 3 * (float(values.max()) - middle) - 1e-12)
    return lifted


@dataclass(frozen=True, slots=True)
class _Surrogate:
    """A Gaussian process with a Matérn 5/2 kernel; length and noise maximise the marginal likelihood."""

    points: Array
    mean: float
    weights: Array
    length: float

    @classmethod
    def of(cls, points: Array, values: Array) -> "_Surrogate":
        """Fit values, shape (n,), at points of the unit cube, shape (n, columns)."""
        from scipy.linalg import cho_factor, cho_solve

        mean, spread = float(values.mean()), float(values.std())
        if spread == 0 or points.shape[1] == 0:
            return cls(points, mean, np.zeros(len(points)), 1.0)
        scaled = (values - mean) / spread
        found: list[tuple[float, float, Array]] = []
        for length in _LENGTHS:
            between = _kernel(points, points, length)
            for noise in _NOISES:
                factor = cho_factor(between + noise * np.eye(len(points)), lower=True)
                weights = cho_solve(factor, scaled)
                # The variance of the signal has a closed form, so only length and noise are searched.
                likelihood = -0.5 * len(scaled) * math.log(float(scaled @ weights) / len(scaled))
                found.append((likelihood - float(np.log(np.diag(factor[0])).sum()), length, weights))
        _, length, weights = max(found, key=lambda one: one[0])
        return cls(points, mean, spread * weights, length)

    def at(self, points: Array) -> Array:
        """Return the posterior mean at points, shape (n,)."""
        expected: Array = self.mean + _kernel(points, self.points, self.length) @ self.weights
        return expected


def _kernel(a: Array, b: Array, length: float) -> Array:
    distance = np.sqrt(5.0) / length * np.sqrt(((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=2))
    covariance: Array = (1 + distance + distance**2 / 3) * np.exp(-distance)
    return covariance
