"""The final fit with exactly the parameters of the contract, and its evaluation, the only use of the test rows."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from e2i_assets.core.algorithms.algorithm import Fit
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.segment_columns import segment_labels
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.evaluation.calibration import calibration_slope
from e2i_assets.core.evaluation.evaluation import Evaluation, evaluation, split_metrics
from e2i_assets.core.evaluation.segments import SegmentEvaluation, segment_evaluations
from e2i_assets.core.evaluation.success_criteria import criteria
from e2i_assets.core.evaluation.thresholds import youden_threshold
from e2i_assets.core.evaluation.verdict import CriterionResult, evaluated_criteria
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.fit_context import FitContext, merged, target_codes
from e2i_assets.core.fitting.rows import RowSource
from e2i_assets.core.imbalance import Imbalance, Strategy
from e2i_assets.core.metrics import Array, Prediction, counted
from e2i_assets.core.search.tuning import defaults, experiment_fit_context, fixed, found_imbalance, patience

if TYPE_CHECKING:
    from e2i_assets.core.fitting.fitted_model import FittedModel

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Training:
    """A trained model and its evaluation.

    Attributes:
        model: The model: predicts labels or values from a table.
        parameters: The parameters of the fit, rounds included.
        rounds: Boosting rounds or trees of the model.
        stopped_early: Whether early stopping decided the rounds, in the search or in the final fit.
        seconds: Wall time of the final fit alone.
        report: Metrics, intervals and the threshold that was chosen on validation.
        criterion_results: The success criteria, evaluated on the test rows.
        default_metrics, baseline_metrics: The same test metrics of the default parameters and of a dummy model.
        segments: The test metrics for each value of the segment columns of the experiment.
        slope: The calibration slope on test; None when it is undefined.
        imbalance: The class imbalance of the train rows.
        strategy: The strategy that was used against it.
        learnt_from: Number of rows of each class that the model was fitted on, in the order of the classes.
        on_test: The true values and the prediction of the test rows.
    """

    model: "FittedModel"
    parameters: dict[str, Any]
    rounds: int | None
    stopped_early: bool
    seconds: float
    report: Evaluation
    criterion_results: tuple[CriterionResult, ...]
    default_metrics: dict[str, float]
    baseline_metrics: dict[str, float]
    segments: tuple[SegmentEvaluation, ...]
    slope: float | None
    imbalance: Imbalance
    strategy: Strategy
    learnt_from: dict[str, int]
    on_test: tuple[Array, Prediction]

    @property
    def criteria_met(self) -> bool:
        """Whether every criterion is met; true when there are none."""
        return all(one.met for one in self.criterion_results)


def trained(experiment: Experiment, rows: TrainingRows, hpo: HpoOutput) -> Training:
    """Fit the final model on the train rows and evaluate it.

    After a completed search, the parameters of the contract are used unchanged: they include the rounds, so there is no
    early stopping. Otherwise the defaults are fitted with early stopping when the experiment enables it.
    """
    fit_context = experiment_fit_context(experiment, rows.facts, rows.train, rows.validation)
    began = time.perf_counter()
    fit = fit_context.fit(hpo.best_hyperparameters, patience=None if hpo.hpo_completed else patience(experiment))
    seconds = time.perf_counter() - began
    predictions = {split: _predicted_rows(fit_context, fit, rows, split) for split in SPLITS}
    minority = _minority_class(fit_context)
    weights = {split: getattr(rows, split).weights for split in SPLITS}
    report = evaluation(
        experiment.problem_type,
        predictions,
        threshold=_threshold(experiment, predictions["validation"], weights["validation"]),
        minority_class=minority,
        ordered=rows.facts.ordered,
        weights=weights,
        seed=experiment.hpo.seed,
    )
    default = _metrics_of_defaults(experiment, fit_context, rows, predictions["test"][0])
    baseline = _metrics_of_dummy(fit_context, rows, predictions["test"][0])
    test = report.splits["test"]
    return Training(
        model=fit_context.model(fit, report.threshold),
        parameters=fit_context.used(hpo.best_hyperparameters, fit),
        rounds=fit.rounds,
        stopped_early=fit.stopped_early or hpo.hpo_best_stopped_early,
        seconds=seconds,
        report=report,
        criterion_results=evaluated_criteria(
            criteria(experiment.success_criteria, experiment.problem_type, experiment.metric),
            test.metrics,
            baseline=baseline,
            defaults=default,
            not_computable=test.not_computable,
        ),
        default_metrics=default,
        baseline_metrics=baseline,
        segments=_segments(rows, report, minority, *predictions["test"]),
        slope=_slope(experiment, *counted(*predictions["test"], weights["test"])),
        imbalance=found_imbalance(experiment, rows.facts, rows.train),
        strategy=fit_context.balancing.strategy,
        learnt_from=_learnt_from(fit_context),
        on_test=predictions["test"],
    )


def _learnt_from(fit_context: FitContext) -> dict[str, int]:
    counts = (
        np.bincount(fit_context.prepared_data.y_train, minlength=len(fit_context.classes))
        if fit_context.classes
        else ()
    )
    return {str(label): int(count) for label, count in zip(fit_context.classes, counts, strict=True)}


def _predicted_rows(fit_context: FitContext, fit: Fit, rows: TrainingRows, split: str) -> tuple[Array, Prediction]:
    part: RowSource = getattr(rows, split)
    return target_codes(part.target, fit_context.classes), fit_context.on(fit, part)


def _threshold(experiment: Experiment, validation: tuple[Array, Prediction], weights: Array | None) -> float | None:
    codes, prediction = validation
    if experiment.problem_type != "binary_classification" or prediction.scores is None:
        return None
    return youden_threshold(codes, prediction.scores, weights)


def _segments(
    rows: TrainingRows, report: Evaluation, minority: int | None, truth: Array, prediction: Prediction
) -> tuple[SegmentEvaluation, ...]:
    """Evaluate the segments of the test rows with the threshold and the rarer class of the whole."""
    if rows.segments is None:
        return ()
    columns = {name: values.to_numpy() for name, values in segment_labels(rows.segments).items()}
    of = segment_evaluations(
        report.problem_type,
        truth,
        prediction,
        columns,
        report.threshold,
        minority,
        rows.facts.ordered,
        rows.test.weights,
        seed=report.seed,
    )
    return tuple(of)


def _slope(experiment: Experiment, truth: Array, prediction: Prediction, weights: Array | None) -> float | None:
    if experiment.problem_type != "binary_classification" or prediction.scores is None:
        return None
    return calibration_slope(truth, prediction.scores, weights)


def _minority_class(fit_context: FitContext) -> int | None:
    if fit_context.task.n_classes != 2:
        return None
    return int(np.bincount(fit_context.y_train, fit_context.train_weights, minlength=2).argmin())


def _metrics_of_defaults(
    experiment: Experiment, fit_context: FitContext, rows: TrainingRows, truth: Array
) -> dict[str, float]:
    parameters: Mapping[str, Any] = merged(defaults(experiment), {}, fixed(experiment))
    fit = fit_context.fit(parameters, patience=patience(experiment))
    threshold = _threshold(experiment, _predicted_rows(fit_context, fit, rows, "validation"), rows.validation.weights)
    prediction = _predicted_rows(fit_context, fit, rows, "test")[1]
    return split_metrics(
        experiment.problem_type, truth, prediction, threshold, ordered=rows.facts.ordered, weights=rows.test.weights
    )


def _metrics_of_dummy(fit_context: FitContext, rows: TrainingRows, truth: Array) -> dict[str, float]:
    """Return the metrics of a dummy model that predicts the class shares, or the mean, of the train rows."""
    y, weights = fit_context.y_train, fit_context.train_weights
    if not fit_context.classes:
        guess = Prediction(labels=np.full(len(truth), np.average(y, weights=weights)))
    else:
        shares = np.bincount(y, weights, minlength=len(fit_context.classes))
        shares = shares / shares.sum()
        guess = Prediction(np.full(len(truth), shares.argmax()), np.tile(shares, (len(truth), 1)))
    facts = rows.facts
    return split_metrics(facts.problem_type, truth, guess, ordered=facts.ordered, weights=rows.test.weights)
