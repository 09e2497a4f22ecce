"""The confusion matrix and every metric that is a ratio of its counts."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from e2i_assets.core.errors import E2iError
from e2i_assets.core.metrics import Array


class NotComputable(E2iError):
    """A metric is undefined on these rows; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """A confusion matrix.

    A class that occurs in the rows and is never predicted has precision 0, as in the metrics that a study optimises. A
    ratio of a class that does not occur in the rows is undefined.

    Attributes:
        counts: Shape (k, k): true class by row, predicted class by column; numbers of rows, or sums of their weights.
    """

    counts: Array

    @classmethod
    def of(cls, n_classes: int, y_true: Array, labels: Array, weights: Array | None = None) -> "Confusion":
        """Count the pairs of codes 0..n_classes-1, or add up their weights."""
        cells = np.bincount(y_true * n_classes + labels, weights, minlength=n_classes**2)
        return cls(cells.reshape(n_classes, n_classes))

    @property
    def accuracy(self) -> float:
        return float(np.trace(self.counts) / self.counts.sum())

    @property
    def balanced_accuracy(self) -> float:
        """The mean recall of the classes that occur in the rows."""
        self._needs_two_classes()
        return float(self._by_class("recall")[self._is_true()].mean())

    def precision(self, code: int) -> float:
        return self._of_class("precision", code)

    def recall(self, code: int) -> float:
        return self._of_class("recall", code)

    def f1(self, code: int) -> float:
        return self._of_class("f1", code)

    def macro(self, ratio: Literal["precision", "recall", "f1"]) -> float:
        """Return the unweighted mean over the classes that occur in the rows or the predictions."""
        self._needs_two_classes()
        return float(self._by_class(ratio)[self._is_true() | (self.counts.sum(axis=0) > 0)].mean())

    def weighted(self, ratio: Literal["precision", "recall", "f1"]) -> float:
        """Return the mean over classes, weighted by their rows."""
        return float(np.average(self._by_class(ratio), weights=self.counts.sum(axis=1)))

    def _by_class(self, ratio: Literal["precision", "recall", "f1"]) -> Array:
        hits, true, called = np.diag(self.counts), self.counts.sum(axis=1), self.counts.sum(axis=0)
        if ratio == "f1":
            return ratio_or_zero(2 * hits, true + called)
        return ratio_or_zero(hits, called if ratio == "precision" else true)

    def _of_class(self, ratio: Literal["precision", "recall", "f1"], code: int) -> float:
        if not self._is_true()[code]:
            raise NotComputable(f"no row is of class {code}")
        return float(self._by_class(ratio)[code])

    def _is_true(self) -> Array:
        return np.asarray(self.counts.sum(axis=1) > 0)

    def _needs_two_classes(self) -> None:
        if self._is_true().sum() < 2:
            raise NotComputable("all rows are of one class")


def ratio_or_zero(top: Array, bottom: Array) -> Array:
    """Return the ratios, 0 where the denominator is 0."""
    return np.divide(top, bottom, out=np.zeros(np.shape(top)), where=bottom > 0)
