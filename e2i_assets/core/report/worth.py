"""What a model is worth, for whoever decides about its use: figures in the unit of the problem, and its references."""

import numpy as np

from e2i_assets.core.evaluation.intervals import Interval
from e2i_assets.core.report.facts import Figure, ReportFacts, Rows, number

# What a metric says about rows, for a reader who does not know its name.
MEANINGS = {
    "roc_auc": "the share of pairs of a positive and a negative row in which the positive one is more probable",
    "pr_auc": "the mean precision over all values of recall",
    "accuracy": "the share of rows whose class is predicted",
    "balanced_accuracy": "the mean over the classes of the share of their rows that is found",
    "brier_score": "the mean squared difference between the probability and what happened",
    "rmse": "the root of the mean squared error, in the unit of the target; large errors count more",
    "mae": "the mean absolute error, in the unit of the target",
    "r2": "the share of the variance of the target that the model explains",
    "f1_score": "the harmonic mean of precision and recall",
    "f1_weighted": "the mean over the classes, weighted by their rows, of the harmonic mean of precision and recall",
    "f1_macro": "the mean over the classes of the harmonic mean of precision and recall",
    "mean_poisson_deviance": "the distance from the counts, 0 at best; an error weighs less where more is predicted",
    "mean_gamma_deviance": "the distance from the amounts, 0 at best; an error weighs by its ratio to the prediction",
    "mean_tweedie_deviance": "the distance from the amounts, 0 at best; an error weighs less where more is predicted",
    "log_loss": "the mean negative logarithm of the probability of the true class",
}


def figures(report: ReportFacts) -> list[Figure]:
    """Return what to expect of the model: of 100 rows, or the error in the unit of the target."""
    return {
        "binary_classification": _of_flagged_rows,
        "multiclass_classification": _of_classes,
        "regression": _of_errors,
    }[report.record.facts.problem_type](report)


def _of_flagged_rows(report: ReportFacts) -> list[Figure]:
    test, intervals = report.record.training.report.splits["test"], report.record.training.report.intervals
    positive = f"{report.record.facts.target} = {report.record.facts.classes[-1]}"
    (_, false_yes), (false_no, true_yes) = test.confusion or [[0, 0], [0, 0]]
    flagged, positives, rows = false_yes + true_yes, false_no + true_yes, test.n_rows
    if not flagged or not positives:
        return [Figure(f"{flagged:,} of {rows:,}", f"test rows are flagged; {positives:,} have {positive}.")]
    wrong = "" if test.effective_rows else f" In the test rows: {true_yes:,} of {flagged:,}."
    missed = "" if test.effective_rows else f" In the test rows: {true_yes:,} of {positives:,}."
    found = [
        Figure(
            _of_100(test.metrics["precision"]),
            f"rows that the model flags have {positive} (precision).{wrong}",
            _between_100(intervals.get("precision")),
        ),
        Figure(
            _of_100(test.metrics["recall"]),
            f"rows with {positive} are flagged (recall).{missed}",
            _between_100(intervals.get("recall")),
        ),
    ]
    if test.effective_rows is None:
        share = f"Without a model, {_of_100(positives / rows)} rows picked at random have {positive}."
        found.append(Figure(_of_100(flagged / rows), "rows are flagged.", share))
    return found


def _of_classes(report: ReportFacts) -> list[Figure]:
    training = report.record.training
    test = training.report.splits["test"]
    most = training.baseline_metrics.get("accuracy")
    without = "" if most is None else f" Without features, always the most frequent class: {_of_100(most)}."
    found = [
        Figure(
            _of_100(test.metrics["accuracy"]),
            f"rows are assigned to their true class (accuracy).{without}",
            _between_100(training.report.intervals.get("accuracy")),
        )
    ]
    counts = np.asarray(test.confusion)
    present = np.flatnonzero(counts.sum(axis=1))
    recall = {int(code): counts[code, code] / counts[code].sum() for code in present}
    worst = min(recall, key=lambda code: recall[code])
    label = report.record.facts.classes[worst]
    found.append(
        Figure(
            _of_100(recall[worst]),
            f"rows of the class {label} are found, the fewest of all classes: {counts[worst, worst]:,} of "
            f"{counts[worst].sum():,} test rows.",
        )
    )
    return found


def _of_errors(report: ReportFacts) -> list[Figure]:
    training, target = report.record.training, report.record.experiment.target_name
    test, dummy = training.report.splits["test"], training.baseline_metrics.get("mae")
    interval = training.report.intervals.get("mae")
    constant = "median" if (loss := report.record.experiment.used_loss).name == "absolute_error" else "mean"
    constant = constant if loss.quantile is None else f"quantile {loss.quantile:g}"
    without = "" if dummy is None else f" Without features, always the {constant}: {number(dummy, 3)}."
    found = [
        Figure(
            number(test.metrics["mae"], 3),
            f"is the mean error of a prediction, in the unit of {target} (mean absolute error).{without}",
            "" if interval is None else f"95 % interval {number(interval.low, 3)} to {number(interval.high, 3)}",
        )
    ]
    if test.effective_rows is None:
        truth, prediction = training.on_test
        half, most = np.quantile(np.abs(np.asarray(truth, dtype=float) - prediction.labels), [0.5, 0.9])
        found.append(Figure(number(float(half), 3), "or less is the error of 50 of 100 predictions for the test rows."))
        found.append(Figure(number(float(most), 3), "or less is the error of 90 of 100 predictions for the test rows."))
    return found


def references(report: ReportFacts) -> Rows:
    """Return the gain of the model over the default parameters and over a baseline, on the same test rows."""
    names = {"defaults": "default parameters", "baseline": "baseline without features"}
    metric = report.record.measure.name
    return [
        {
            "compared with": names[reference],
            f"its {metric}": number(gain.second, 3),
            "this model": number(gain.first, 3),
            "better by": number(gain.gain, 2),
            "95 % interval": "" if gain.low is None else f"{number(gain.low, 2)} to {number(gain.high, 2)}",
            "method": gain.method or "none for this metric",
        }
        for reference, gain in report.record.training.gains.items()
        if reference == "baseline" or report.record.hpo.hpo_completed
    ]


def calibration(report: ReportFacts) -> Rows:
    """Return how well the probabilities of a classifier agree with the classes of the test rows."""
    training = report.record.training
    test, (truth, prediction) = training.report.splits["test"], training.on_test
    pairs = {
        "Calibration slope (1 is calibrated)": "" if training.slope is None else number(training.slope, 3),
        "Calibration intercept (0 is calibrated)": "" if training.intercept is None else number(training.intercept, 3),
        "Expected calibration error (0 is perfect)": number(test.metrics.get("calibration_error"), 3),
        "Brier score": number(test.metrics.get("brier_score"), 3),
        "Log loss": number(test.metrics.get("log_loss"), 3),
    }
    if prediction.scores is not None and prediction.scores.shape[1] == 2 and test.effective_rows is None:
        label = report.record.facts.classes[-1]
        pairs[f"Mean predicted probability of {label}"] = f"{prediction.scores[:, 1].mean():.1%}"
        pairs[f"Observed share of {label}"] = f"{np.mean(np.asarray(truth) == 1):.1%}"
    return (
        [{"": name, "what": value} for name, value in pairs.items() if value] if prediction.scores is not None else []
    )


def residuals(report: ReportFacts) -> Rows:
    """Return the distribution of the errors of a regression on the test rows: true minus predicted values."""
    if report.record.facts.problem_type != "regression":
        return []
    truth, prediction = report.record.training.on_test
    errors = np.asarray(truth, dtype=float) - prediction.labels
    low, middle, high = (number(float(one), 3) for one in np.quantile(errors, [0.05, 0.5, 0.95]))
    pairs = {
        "Mean error (0 is unbiased)": number(float(errors.mean()), 3),
        "Standard deviation of the errors": number(float(errors.std(ddof=1)), 3) if len(errors) > 1 else "",
        "Median error": middle,
        "90 of 100 errors lie between": f"{low} and {high}",
    }
    return [{"": name, "what": value} for name, value in pairs.items() if value]


def _of_100(share: float) -> str:
    return f"{_hundredths(share)} of 100"


def _between_100(interval: Interval | None) -> str:
    return "" if interval is None else f"95 % interval {_hundredths(interval.low)} to {_hundredths(interval.high)}"


def _hundredths(share: float) -> str:
    """Return a share of 100 as an integer, with a decimal where it is rare or not quite everything."""
    return f"{100 * share:.0f}" if 0.02 <= share <= 0.98 or share in (0, 1) else f"{100 * share:.1f}"
