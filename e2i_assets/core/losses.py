"""The losses that a regression can minimise: which targets they allow, and the metrics that belong to them.

The deviances are those of exponential dispersion models (Jørgensen, 1987), as scikit-learn defines them; the pinball
loss is that of Koenker and Bassett (1978).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
LossName = Literal["squared_error", "absolute_error", "poisson", "gamma", "tweedie", "quantile"]
# Between the variance of counts (1) and that of costs above 0 (2): costs of which many are exactly 0.
TWEEDIE_POWER: Final = 1.5
# The power of the mean that the variance of the target is proportional to.
POWERS: Final = {"mean_poisson_deviance": 1.0, "mean_gamma_deviance": 2.0, "mean_tweedie_deviance": TWEEDIE_POWER}
_PINBALL = "mean_pinball_loss_"
# A quantile of at most three decimals has one name.
PINBALL_NAME: Final = rf"{_PINBALL}(0\.\d{{0,2}}[1-9])"


@dataclass(frozen=True, slots=True)
class Loss:
    """The loss that the fits of a regression minimise.

    Attributes:
        name: Its name in experiment files.
        quantile: The predicted quantile, such as 0.9; None for another loss.
    """

    name: LossName = "squared_error"
    quantile: float | None = None

    def __str__(self) -> str:
        """The loss as text, such as ``quantile 0.9``."""
        return self.name if self.quantile is None else f"{self.name} {self.quantile:g}"

    @property
    def metric(self) -> str:
        """The metric that the loss minimises, up to a monotone function."""
        fixed = {"squared_error": "rmse", "absolute_error": "mae"}
        if self.quantile is not None:
            return f"{_PINBALL}{self.quantile:g}"
        return fixed.get(self.name, f"mean_{self.name}_deviance")

    @property
    def has_log_link(self) -> bool:
        """Whether fits predict the logarithm of the mean, so that predictions are above 0 and effects multiply."""
        return self.name in ("poisson", "gamma", "tweedie")

    @property
    def bends_leaves(self) -> bool:
        """Whether fits replace the values of leaves by quantiles of their rows, which keeps no monotone direction."""
        return self.name in ("absolute_error", "quantile")

    def constant(self, values: Array, weights: Array | None = None) -> float:
        """Return the best prediction without features: the mean, the median or the quantile.

        Args:
            values: Shape (n,): the target.
            weights: Shape (n,): sample weights; None weights all rows equally.
        """
        if not self.bends_leaves:
            return float(np.average(values, weights=weights))
        share = 0.5 if self.quantile is None else self.quantile
        if weights is None:
            return float(np.quantile(values, share))
        return float(np.quantile(values, share, weights=weights, method="inverted_cdf"))


SQUARED_ERROR: Final = Loss()


def pinball_quantile(metric: str) -> float | None:
    """Return the quantile in the name of a pinball loss, such as ``mean_pinball_loss_0.9``; None for another name."""
    found = re.fullmatch(PINBALL_NAME, metric)
    return float(found[1]) if found else None


def is_loss_metric(name: str) -> bool:
    """Return whether a metric is a deviance or a pinball loss: only experiments that name them report these."""
    return name in POWERS or pinball_quantile(name) is not None


def loss_metrics(names: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct deviances and pinball losses among the names of metrics."""
    return tuple(dict.fromkeys(name for name in names if is_loss_metric(name)))


def domain(loss: Loss, metrics: Iterable[str] = ()) -> tuple[str, ...]:
    """Return what restricts a target that is fitted by a loss and evaluated by metrics.

    Returns:
        The names of the loss or the metrics that allow no negative target; first those that allow no 0 either.
    """
    powers = {loss.name: POWERS.get(loss.metric, 0.0), **{name: POWERS.get(name, 0.0) for name in metrics}}
    return tuple(sorted((name for name, power in powers.items() if power), key=lambda name: -powers[name]))


def refuses_zero(name: str) -> bool:
    """Return whether a loss or a metric allows no target of 0."""
    return name in ("gamma", "mean_gamma_deviance")


def undefined(metric: str, y_true: Array, predicted: Array) -> str | None:
    """Return why a deviance is undefined for these values; None if it is defined, and for other metrics."""
    if metric not in POWERS:
        return None
    refused, floor = (y_true <= 0, "not above 0") if refuses_zero(metric) else (y_true < 0, "below 0")
    if count := int(np.count_nonzero(refused)):
        return f"{count:,} of {len(y_true):,} true values are {floor}"
    if count := int(np.count_nonzero(predicted <= 0)):
        return f"{count:,} of {len(predicted):,} predictions are not above 0"
    return None


def row_losses(metric: str, y_true: Array, predicted: Array) -> Array:
    """Return the loss of each row, shape (n,), whose (weighted) mean is a deviance or a pinball loss.

    Args:
        metric: A name for which `is_loss_metric` is true.
        y_true: Shape (n,): values for which the metric is defined, see `undefined`.
        predicted: Shape (n,).
    """
    from scipy.special import xlogy

    quantile = pinball_quantile(metric)
    if quantile is not None:
        above = y_true - predicted
        return np.asarray(np.maximum(quantile * above, (quantile - 1) * above))
    power = POWERS[metric]
    if power == 1:
        return np.asarray(2 * (xlogy(y_true, y_true / predicted) - y_true + predicted))
    if power == 2:
        return np.asarray(2 * (np.log(predicted / y_true) + y_true / predicted - 1))
    first, second = 1 - power, 2 - power
    of_truth = y_true**second / (first * second)
    return np.asarray(2 * (of_truth - y_true * predicted**first / first + predicted**second / second))
