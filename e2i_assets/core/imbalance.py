"""Class imbalance of the train rows: its severity, the recommended strategy, and the class weights of a fit."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from e2i_assets.core.metrics import Array

Strategy = Literal[
    "none", "class_weight", "random_oversample", "random_undersample", "smote", "smote_tomek", "combined"
]
Choice = Literal[Strategy, "recommended"]
Severity = Literal["not_applicable", "degenerate", "none", "moderate", "severe", "extreme"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
# Parameters with which an estimator weights classes itself.
WEIGHING = frozenset({"class_weight", "scale_pos_weight", "is_unbalance"})
RESAMPLING = frozenset(STRATEGIES) - {"none", "class_weight"}
SYNTHETIC: frozenset[Strategy] = frozenset({"smote", "smote_tomek", "combined"})

_MODERATE, _SEVERE, _EXTREME = 0.40, 0.20, 0.05
_ENOUGH_TO_INTERPOLATE, _ENOUGH_TO_REPEAT = 10, 5


@dataclass(frozen=True, slots=True)
class Balancing:
    """How a fit treats class imbalance: with weights or with resampling, never with both.

    Attributes:
        strategy: ``class_weight`` gives all classes the same total weight; ``none`` uses the rows unchanged; the others
            resample the train rows (see `resampling`).
        seed: Seed of the resampling.
    """

    strategy: Strategy = "none"
    seed: int = 42


AS_THEY_COME = Balancing()


@dataclass(frozen=True, slots=True)
class Imbalance:
    """The class imbalance of some rows.

    Attributes:
        severity: By ``minority_ratio``: from 0.40 none, from 0.20 moderate, from 0.05 severe, else extreme.
        ratio: Rows of the largest class for one of the smallest; None where fewer than two classes have rows.
        minority_ratio: Share of the smallest class, scaled so that k classes of the same size have 0.5, like two
            classes; None where there are no classes.
        class_distribution: Number of rows of each class, in the order of the classes.
        recommended: The strategy that the table of the contract recommends.
        rationale: The reason, as a sentence.
    """

    severity: Severity
    ratio: float | None
    minority_ratio: float | None
    class_distribution: dict[str, int]
    recommended: Strategy
    rationale: str

    @property
    def detected(self) -> bool:
        """Whether the severity is at least moderate."""
        return is_uneven(self.severity)


def is_uneven(severity: Severity) -> bool:
    """Return whether the severity is at least moderate."""
    return severity in ("moderate", "severe", "extreme")


def imbalance(codes: Array, classes: tuple[Any, ...], grows_trees: bool) -> Imbalance:
    """Return the class imbalance of the train rows.

    Args:
        codes: Shape (n,): class codes; not read for a regression.
        classes: The labels in the order of their codes, empty for a regression.
        grows_trees: Whether the algorithm consists of trees, which handle weights better than repeated rows.
    """
    if not classes:
        return Imbalance("not_applicable", None, None, {}, "none", "a regression has no classes")
    counts = np.bincount(codes, minlength=len(classes))
    distribution = {str(label): int(count) for label, count in zip(classes, counts, strict=True)}
    if (counts > 0).sum() < 2:
        return Imbalance("degenerate", None, None, distribution, "none", "fewer than two classes have rows")
    present = counts[counts > 0]
    smallest, total = int(present.min()), int(present.sum())
    share = smallest / total * len(present) / 2
    severity = _severity(share)
    recommended, because = _recommended(severity, smallest, grows_trees)
    label = classes[int(np.where(counts > 0, counts, total + 1).argmin())]
    return Imbalance(
        severity=severity,
        ratio=int(present.max()) / smallest,
        minority_ratio=share,
        class_distribution=distribution,
        recommended=recommended,
        rationale=f"{label!r} has {smallest} of {total} rows: {because}",
    )


def balanced_weights(codes: Array, n_classes: int, weights: Array | None = None) -> Array:
    """Return class weights that give all classes the same total weight: n / (classes with rows x rows of the class).

    Shape (n_classes,). These are scikit-learn's ``balanced`` weights: the rarer a class, the higher its weight. With
    sample weights, the size of a class is the sum of the weights of its rows.
    """
    sizes = np.bincount(codes, weights, n_classes)
    balanced: Array = np.ones(n_classes)
    present = sizes > 0
    balanced[present] = sizes.sum() / (present.sum() * sizes[present])
    return balanced


def _severity(share: float) -> Severity:
    if share >= _MODERATE:
        return "none"
    if share >= _SEVERE:
        return "moderate"
    return "severe" if share >= _EXTREME else "extreme"


def _recommended(severity: Severity, smallest: int, grows_trees: bool) -> tuple[Strategy, str]:
    if severity == "none":
        return "none", "its share is large enough"
    if severity == "moderate":
        return (
            ("class_weight", "trees support weights") if grows_trees else ("random_oversample", "enough to repeat them")
        )
    if smallest >= _ENOUGH_TO_INTERPOLATE:
        return ("smote" if severity == "severe" else "combined"), "enough to interpolate new ones"
    if severity == "severe" or smallest >= _ENOUGH_TO_REPEAT:
        return "random_oversample", "too few to interpolate new ones"
    return "class_weight", "too few to repeat them"
