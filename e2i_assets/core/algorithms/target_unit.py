"""The unit of a regression target in a fit, so that the scale and the offset of the target have no effect.

Boosters store targets, gradients and gains in single precision or compare them with fixed thresholds (1e-6 in XGBoost),
trees of scikit-learn stop below a variance of 2e-16, and penalties such as Lasso's alpha are in the unit of the target.
Every fit therefore uses the target ``(value - centre) / scale``, and every prediction is converted back. A loss with a
logarithmic link needs the zero of the target, so its centre is 0.
"""

from dataclasses import dataclass

import numpy as np

from e2i_assets.core.metrics import Array, Prediction


@dataclass(frozen=True, slots=True)
class TargetUnit:
    """The conversion of the target for a fit: ``(value - centre) / scale``."""

    centre: float = 0.0
    scale: float = 1.0

    def learnt(self, values: Array) -> Array:
        """Return target values in the unit of the fit."""
        return values if self == AS_IT_IS else (values - self.centre) / self.scale

    def original(self, prediction: Prediction) -> Prediction:
        """Return the prediction of an estimator in the original unit; class codes are unchanged."""
        if self == AS_IT_IS:
            return prediction
        return Prediction(prediction.labels * self.scale + self.centre, prediction.scores)


AS_IT_IS = TargetUnit()


def target_unit(values: Array, spread: float = 1.0, weights: Array | None = None) -> TargetUnit:
    """Return the unit in which the (weighted) train values have the mean 0 and the standard deviation ``spread``."""
    largest = float(np.abs(values).max(initial=0.0))
    if not np.isfinite(largest) or largest == 0.0:
        return AS_IT_IS
    # Divide first: the squares of very large values would overflow, and those of very small values underflow.
    shares = values / largest
    mean = float(np.average(shares, weights=weights))
    deviation = float(np.sqrt(np.average((shares - mean) ** 2, weights=weights)))
    return TargetUnit(mean * largest, (deviation or 1.0) * largest / spread)


def unit_of_mean(values: Array, weights: Array | None = None) -> TargetUnit:
    """Return the unit in which the (weighted) train values, which are not negative, have the mean 1."""
    largest = float(np.abs(values).max(initial=0.0))
    if not np.isfinite(largest) or largest == 0.0:
        return AS_IT_IS
    return TargetUnit(0.0, float(np.average(values / largest, weights=weights)) * largest)
