"""What fits are made from: the prepared rows, and what an algorithm made of them, made once for all fits."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from e2i_assets.core.metrics import Array, ProblemType

Matrix = NDArray[np.floating[Any]]
# Binned rows are a fraction of the matrix, but a searched max_bin makes one set of them for each value.
KEPT = 4


@dataclass(frozen=True, slots=True)
class Task:
    """What is predicted: the problem type, and how many classes there are (0 for a regression)."""

    problem_type: ProblemType
    n_classes: int = 0


class Binned:
    """A small cache that is safe between threads: who asks first makes the value, and all others wait for it."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, Any] = OrderedDict()

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return the value for ``key``, made at the first call; the one that was unused for longest is let go."""
        with self._lock:
            if key not in self._values:
                self._values[key] = make()
                if len(self._values) > self._kept:
                    self._values.popitem(last=False)
            self._values.move_to_end(key)
            return self._values[key]


@dataclass(frozen=True, slots=True)
class PreparedData:
    """Prepared train and validation rows, shared by all fits of a study or of a fold; nobody changes them.

    Attributes:
        task: What is predicted.
        prepare_train: Returns the matrix of the train rows, shape (n, prepared features); where it can be made again it
            is not kept, so who needs it more than once keeps what is made of it.
        x_validation: Shape (n, prepared features).
        y_train, y_validation: Shape (n,): class codes, or the values of a regression.
        categories: Positions of the features whose values are codes of categories; only where the algorithm splits on
            categories itself.
        train_weights: Shape (n,): what each train row counts for; None where all count alike.
        validation_weights: Shape (n,): what each validation row counts for in the loss that decides the rounds.
        binned: What an algorithm made of the rows, by the parameters that decide it.
    """

    task: Task
    prepare_train: Callable[[], Matrix]
    y_train: Array
    x_validation: Matrix
    y_validation: Array
    categories: tuple[int, ...] = ()
    train_weights: Array | None = None
    validation_weights: Array | None = None
    binned: Binned = field(default_factory=Binned, compare=False)

    @property
    def x_train(self) -> Matrix:
        """The matrix of the train rows: shape (n, prepared features)."""
        return self.prepare_train()
