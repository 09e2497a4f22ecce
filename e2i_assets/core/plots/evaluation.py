"""Plots of a model's predictions on rows, drawn by scikit-learn's display classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from e2i_assets.core.evaluation.calibration import N_BINS
from e2i_assets.core.evaluation.confusion import Confusion
from e2i_assets.core.metrics import Array, Prediction, counted
from e2i_assets.core.plots.figures import new_figure, png

MOST_POINTS = 1000
_MOST_NUMBERS = 12
_MOST_SIDE_BY_SIDE = 5
# File name to scikit-learn's display class and the labels of the x and y axes.
_CURVES = {
    "roc_curve.png": (
        "RocCurveDisplay",
        "share of other rows that are flagged",
        "share of rows of the class that are found",
    ),
    "precision_recall_curve.png": (
        "PrecisionRecallDisplay",
        "share of rows of the class that are found (recall)",
        "share of flagged rows that are right",
    ),
}


def pictures(
    y_true: Array,
    prediction: Prediction,
    classes: Sequence[object],
    confusion: Sequence[Sequence[int]] | None,
    weights: Array | None = None,
) -> dict[str, bytes]:
    """Return PNGs by file name: curves and confusion matrix of a classifier, residuals of a regression.

    A curve that is undefined on these rows, such as an ROC curve with one class, is left out.

    Args:
        y_true: Shape (n,): class codes or values.
        prediction: The predictions for the same rows.
        classes: Labels in the order of their codes, empty for a regression.
        confusion: Counts at the threshold in use, one row per true class.
        weights: Shape (n,): sample weights of the rows in the curves; None weights all rows equally.
    """
    y_true, prediction, weights = counted(y_true, prediction, weights)
    if not classes:
        return {"residuals.png": _residuals(y_true, prediction.labels)}
    labels = [str(label) for label in classes]
    drawn = {}
    if confusion is not None:
        drawn["confusion_matrix.png"] = _confusion_matrix(Confusion(np.asarray(confusion)), labels)
    if prediction.scores is None:
        return drawn
    if present := _with_and_without(y_true, len(labels)):
        for file, curve in _CURVES.items():
            drawn[file] = _curves(curve, y_true, prediction.scores, present, labels, weights)
    if (calibration := _calibration(y_true, prediction.scores, labels, weights)) is not None:
        drawn["calibration_curve.png"] = calibration
    return drawn


def _with_and_without(y_true: Array, n_classes: int) -> list[int]:
    """Return the codes of the classes that some but not all rows have; with two classes only the positive one."""
    codes = [1] if n_classes == 2 else range(n_classes)
    return [code for code in codes if 0 < np.count_nonzero(y_true == code) < len(y_true)]


def _curves(
    curve: tuple[str, str, str],
    y_true: Array,
    scores: Array,
    codes: Sequence[int],
    labels: Sequence[str],
    weights: Array | None,
) -> bytes:
    from sklearn import metrics

    figure = new_figure()
    axes = figure.subplots()
    display, x_label, y_label = curve
    kind: Any = getattr(metrics, display)
    # scikit-learn draws the prevalence of a precision-recall curve without the weights.
    has_chance_level = len(codes) == 1 and (weights is None or display == "RocCurveDisplay")
    for code in codes:
        kind.from_predictions(
            y_true == code,
            scores[:, code],
            sample_weight=weights,
            ax=axes,
            name=labels[code],
            plot_chance_level=has_chance_level,
        )
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.02, 1))
    return png(figure)


def _calibration(y_true: Array, scores: Array, labels: Sequence[str], weights: Array | None) -> bytes | None:
    """Draw what `calibration_error` measures: with two classes class 1, with more the most probable class."""
    from sklearn.calibration import CalibrationDisplay

    if scores.shape[1] == 2:
        hit, predicted, name = y_true == 1, scores[:, 1], labels[1]
    else:
        hit, predicted, name = scores.argmax(axis=1) == y_true, scores.max(axis=1), "the most probable class"
    if len(np.unique(hit)) < 2:
        return None
    figure = new_figure()
    axes = figure.subplots()
    bins = np.minimum((predicted * N_BINS).astype(int), N_BINS - 1)
    rows = np.bincount(bins, weights, N_BINS)
    sums = [np.bincount(bins, values if weights is None else weights * values, N_BINS) for values in (hit, predicted)]
    share, mean = (each[rows > 0] / rows[rows > 0] for each in sums)
    display = CalibrationDisplay(share, mean, predicted, estimator_name=name)
    display.plot(ax=axes)
    axes.set(xlabel=f"predicted probability of {name}", ylabel=f"share of rows that are {name}")
    axes.legend(fontsize=8, frameon=False)
    return png(figure)


def _confusion_matrix(confusion: Confusion, labels: Sequence[str]) -> bytes:
    from sklearn.metrics import ConfusionMatrixDisplay

    figure = new_figure()
    axes = figure.subplots()
    display = ConfusionMatrixDisplay(confusion.counts, display_labels=labels)
    rotation = "horizontal" if len(labels) <= _MOST_SIDE_BY_SIDE else "vertical"
    display.plot(
        ax=axes,
        cmap="Blues",
        values_format="d",
        include_values=len(labels) <= _MOST_NUMBERS,
        xticks_rotation=rotation,
    )
    axes.set(xlabel="predicted class", ylabel="true class")
    return png(figure)


def _residuals(y_true: Array, predicted: Array) -> bytes:
    from matplotlib.ticker import MaxNLocator, ScalarFormatter
    from sklearn.metrics import PredictionErrorDisplay

    figure = new_figure()
    sides = figure.subplots(1, 2)
    for axes, kind in zip(sides, ("actual_vs_predicted", "residual_vs_predicted"), strict=True):
        PredictionErrorDisplay.from_predictions(
            y_true, predicted, kind=kind, ax=axes, subsample=min(MOST_POINTS, len(y_true)), random_state=0,
            scatter_kwargs={"s": 8, "alpha": 0.5},
        )  # fmt: skip
        # scikit-learn puts ticks at equal parts of the range, such as 11.17.
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(5))
            axis.set_major_formatter(ScalarFormatter())
    return png(figure)
