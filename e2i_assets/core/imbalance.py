"""How uneven the classes of the train rows are, what is recommended for that, and what it means for a fit."""

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
# Parameters by which estimators weigh classes themselves.
WEIGHING = frozenset({"class_weight", "scale_pos_weight", "is_unbalance"})
RESAMPLING = frozenset(STRATEGIES) - {"none", "class_weight"}
SYNTHETIC: frozenset[Strategy] = frozenset({"smote", "smote_tomek", "combined"})

_MODERATE, _SEVERE, _EXTREME = 0.40, 0.20, 0.05
_ENOUGH_TO_INTERPOLATE, _ENOUGH_TO_REPEAT = 10, 5


@dataclass(frozen=True, slots=True)
class Balancing:
    """What a fit does about uneven classes: one thing, never weights on top of resampled rows.

    Attributes:
        strategy: ``class_weight`` lets all classes count alike; the others resample the train rows, as `resampling`
            says; ``none`` takes the rows as they come.
        seed: Of what is drawn.
    """

    strategy: Strategy = "none"
    seed: int = 42


AS_THEY_COME = Balancing()


@dataclass(frozen=True, slots=True)
class Imbalance:
    """How uneven the classes of some rows are.

    Attributes:
        severity: By ``minority_ratio``: from 0.40 none, from 0.20 moderate, from 0.05 severe, else extreme.
        ratio: Rows of the largest class for one of the smallest; None where fewer than two classes have rows.
        minority_ratio: Share of the smallest class, scaled so that k classes of one size have 0.5, as two have; None
            where there are no classes.
        class_distribution: Rows of each class, in the order of the classes.
        recommended: What the table of the contract recommends.
        rationale: Why, in a sentence.
    """

    severity: Severity
    ratio: float | None
    minority_ratio: float | None
    class_distribution: dict[str, int]
    recommended: Strategy
    rationale: str

    @property
    def detected(self) -> bool:
        """Whether the classes are uneven enough to say so."""
        return is_uneven(self.severity)


def is_uneven(severity: Severity) -> bool:
    """Return whether a severity says that there is an imbalance."""
    return severity in ("moderate", "severe", "extreme")


def imbalance(codes: Array, classes: tuple[Any, ...], grows_trees: bool) -> Imbalance:
    """Judge the classes of the train rows.

    Args:
        codes: Shape (n,): class codes; of a regression anything.
        classes: The labels in the order of their codes, empty for a regression.
        grows_trees: Whether the algorithm is made of trees, which take weights better than repeated rows.
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


def balanced_weights(codes: Array, n_classes: int) -> Array:
    """Return a weight for each class that makes all of them count alike: n / (classes with rows x rows of the class).

    Shape (n_classes,). It is what scikit-learn calls ``balanced``: the rarer a class the higher its weight, whichever
    of the classes is the positive one.
    """
    counts = np.bincount(codes, minlength=n_classes)
    weights: Array = np.ones(n_classes)
    present = counts > 0
    weights[present] = len(codes) / (present.sum() * counts[present])
    return weights


def _severity(share: float) -> Severity:
    if share >= _MODERATE:
        return "none"
    if share >= _SEVERE:
        return "moderate"
    return "severe" if share >= _EXTREME else "extreme"


def _recommended(severity: Severity, smallest: int, grows_trees: bool) -> tuple[Strategy, str]:
    if severity == "none":
        return "none", "even enough"
    if severity == "moderate":
        return ("class_weight", "trees take weights") if grows_trees else ("random_oversample", "its rows are repeated")
    if smallest >= _ENOUGH_TO_INTERPOLATE:
        return ("smote" if severity == "severe" else "combined"), "enough to make rows between its own"
    if severity == "severe" or smallest >= _ENOUGH_TO_REPEAT:
        return "random_oversample", "too few to make rows between them"
    return "class_weight", "too few to repeat"
