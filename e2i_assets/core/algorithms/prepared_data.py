"""The input of fits: the prepared rows and their binned form, which is computed once for all fits."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from e2i_assets.core.losses import SQUARED_ERROR, Loss
from e2i_assets.core.metrics import Array, ProblemType

Matrix = NDArray[np.floating[Any]]
# Binned rows are a fraction of the matrix in size, but a searched max_bin needs one set for each value.
KEPT = 4


@dataclass(frozen=True, slots=True)
class Task:
    """The prediction task: the problem type and the number of classes (0 for a regression)."""

    problem_type: ProblemType
    n_classes: int = 0


class Binned:
    """A small thread-safe LRU cache: the first caller computes a value, and all others wait for it."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, Any] = OrderedDict()

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return the value for ``key``, computed at the first call; evict the least recently used value."""
        with self._lock:
            if key not in self._values:
                self._values[key] = make()
                if len(self._values) > self._kept:
                    self._values.popitem(last=False)
            self._values.move_to_end(key)
            return self._values[key]


@dataclass(frozen=True, slots=True)
class PreparedData:
    """Prepared train and validation rows, shared by all fits of a study or of a fold; read-only.

    Attributes:
        task: The prediction task.
        prepare_train: Returns the matrix of the train rows, shape (n, prepared features). A matrix that can be computed
            again is not kept, so a caller that needs it more than once keeps its own derived data.
        x_validation: Shape (n, prepared features).
        y_train, y_validation: Shape (n,): class codes, or the values of a regression.
        categories: Positions of the features that are category codes; empty unless the algorithm splits on categories.
        directions: 1 or -1 for each feature with which the prediction may only rise or only fall, 0 for the others;
            empty without any.
        loss: What the fits of a regression minimise.
        train_weights: Shape (n,): weights of the train rows in the fit; None when all are equal.
        validation_weights: Shape (n,): weights of the validation rows in the loss of early stopping.
        binned: The binned rows of an algorithm, by the parameters that affect them.
    """

    task: Task
    prepare_train: Callable[[], Matrix]
    y_train: Array
    x_validation: Matrix
    y_validation: Array
    categories: tuple[int, ...] = ()
    directions: tuple[int, ...] = ()
    loss: Loss = SQUARED_ERROR
    train_weights: Array | None = None
    validation_weights: Array | None = None
    binned: Binned = field(default_factory=Binned, compare=False)

    @property
    def x_train(self) -> Matrix:
        """The matrix of the train rows: shape (n, prepared features)."""
        return self.prepare_train()
