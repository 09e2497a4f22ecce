"""The metrics that an evaluation reports: their names, their direction and their range.

Success criteria and stored metrics use these names. The metrics that a study can *optimise* are in `metrics`.
"""

from dataclasses import dataclass
from math import inf

from e2i_assets.core.losses import is_loss_metric
from e2i_assets.core.metrics import ProblemType

PRECISION_AT = (100, 500, 1000)


@dataclass(frozen=True, slots=True)
class Measure:
    """One reported metric.

    Attributes:
        name: The key in the metrics map.
        greater_is_better: False for losses, errors and the false positive rate.
        low: The smallest value that makes sense as a threshold (an ROC AUC below 0.5 is worse than guessing).
        high: The largest value that makes sense.
    """

    name: str
    greater_is_better: bool = True
    low: float = 0.0
    high: float = 1.0


def _by_name(*measures: Measure) -> dict[str, Measure]:
    return {measure.name: measure for measure in measures}


def _shares(*names: str) -> list[Measure]:
    return [Measure(name) for name in names]


_PROBABILITIES = (
    Measure("roc_auc", low=0.5),
    Measure("log_loss", greater_is_better=False, high=inf),
    Measure("calibration_error", greater_is_better=False),
)

MEASURES: dict[ProblemType, dict[str, Measure]] = {
    "binary_classification": _by_name(
        *_shares("accuracy", "balanced_accuracy", "precision", "recall", "f1_score", "f1_macro", "f1_weighted"),
        *_shares("precision_class_0", "recall_class_0", "precision_class_1", "recall_class_1"),
        *_shares("minority_precision", "minority_recall", "minority_recall_at_05"),
        Measure("false_positive_rate", greater_is_better=False),
        *_PROBABILITIES,
        Measure("pr_auc"),
        Measure("brier_score", greater_is_better=False),
        *_shares(*(f"precision_at_{k}" for k in PRECISION_AT)),
    ),
    "multiclass_classification": _by_name(
        *_shares("accuracy", "balanced_accuracy", "f1_macro", "f1_weighted"),
        *_shares("precision_macro", "recall_macro", "precision_weighted", "recall_weighted"),
        Measure("quadratic_weighted_kappa"),
        Measure("rank_mae", greater_is_better=False, high=inf),
        *_PROBABILITIES,
    ),
    "regression": _by_name(
        *(Measure(name, greater_is_better=False, high=inf) for name in ("mse", "rmse", "mae", "mape")),
        Measure("r2", low=-inf),
    ),
}

PRIMARY: dict[ProblemType, str] = {
    "binary_classification": "roc_auc",
    "multiclass_classification": "f1_weighted",
    "regression": "rmse",
}

_ALIASES: dict[ProblemType, dict[str, str]] = {
    "binary_classification": {
        "auc": "roc_auc",
        "auc_roc": "roc_auc",
        "f1": "f1_score",
        "fpr": "false_positive_rate",
        "ece": "calibration_error",
    },
    "multiclass_classification": {
        "auc": "roc_auc",
        "auc_roc": "roc_auc",
        "f1": "f1_weighted",
        "f1_score": "f1_weighted",
        "precision": "precision_weighted",
        "recall": "recall_weighted",
        "qwk": "quadratic_weighted_kappa",
        "ece": "calibration_error",
    },
    "regression": {},
}


def names(problem_type: ProblemType) -> tuple[str, ...]:
    """Return every metric that each evaluation of this problem type can report: no metric of a loss."""
    return tuple(MEASURES[problem_type])


def aliases(problem_type: ProblemType) -> tuple[str, ...]:
    """Return the accepted alternative names."""
    return tuple(_ALIASES[problem_type])


def measure(name: str, problem_type: ProblemType) -> Measure | None:
    """Return the measure with this name, alias, or name of an optimised metric; None when there is none."""
    if problem_type == "regression" and is_loss_metric(name):
        return Measure(name, greater_is_better=False, high=inf)
    return MEASURES[problem_type].get(_ALIASES[problem_type].get(name, name))


def optimised(metric: str, problem_type: ProblemType) -> Measure:
    """Return the measure of an optimised metric, else the primary measure of the problem type."""
    return measure(metric, problem_type) or MEASURES[problem_type][PRIMARY[problem_type]]


def metric_text(value: float) -> str:
    """Return a metric with four decimals, or with four significant digits when it is very small or very large."""
    return f"{value:.4f}" if value == 0 or 0.001 <= abs(value) < 1e6 else f"{value:.4g}"
