"""The final fit with exactly the parameters of the contract, and its evaluation, the only use of the test rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.segment_columns import segment_labels
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.evaluation.calibration import calibration_intercept, calibration_slope
from e2i_assets.core.evaluation.decisions import DecisionValue, decision_value
from e2i_assets.core.evaluation.evaluation import Evaluation, evaluation, split_metrics
from e2i_assets.core.evaluation.measures import optimised
from e2i_assets.core.evaluation.paired import Contender, PairedGain, PairedRows, paired_gain
from e2i_assets.core.evaluation.segments import SegmentEvaluation, segment_evaluations
from e2i_assets.core.evaluation.success_criteria import criteria
from e2i_assets.core.evaluation.verdict import CriterionResult, evaluated_criteria
from e2i_assets.core.experiments.experiment import Experiment, FinalModel
from e2i_assets.core.final_fit import Fits, final_rows, fitted
from e2i_assets.core.fitting.fit_context import target_codes
from e2i_assets.core.fitting.rows import RowSource
from e2i_assets.core.fold_fit import fitted_on_folds
from e2i_assets.core.imbalance import Imbalance, Strategy
from e2i_assets.core.metrics import Array, Prediction, counted
from e2i_assets.core.search.final_model_choice import used_final_model
from e2i_assets.core.search.tuning import balancing, found_imbalance

if TYPE_CHECKING:
    from e2i_assets.core.fitting.averaged_model import Model

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Training:
    """A trained model and its evaluation.

    Attributes:
        model: The final model: predicts labels or values from a table.
        unseen: Models with rows that they have not learnt from, see `Fits`. The metrics on train and validation belong
            to these models, because the final model may have learnt from the validation rows.
        final_model: What the final model learnt from.
        samples: The number of rows that it learnt from, before resampling.
        parameters: The parameters of the fit, rounds included.
        rounds: Boosting rounds or trees of the model; the median of fold models.
        fold_rounds: The rounds of each fold model; empty without.
        stopped_early: Whether early stopping decided the rounds, in the search or in the final fit.
        seconds: Wall time of the final fit alone.
        report: Metrics, intervals and the threshold that was chosen on validation.
        criterion_results: The success criteria, evaluated on the test rows.
        default_metrics, baseline_metrics: The same test metrics of the default parameters and of a dummy model.
        gains: What the model gains on test over the default parameters (``defaults``) and the dummy model
            (``baseline``) in the optimised metric; without those that cannot be computed.
        segments: The test metrics for each value of the segment columns of the experiment.
        slope: The calibration slope on test; None when it is undefined.
        imbalance: The class imbalance of the rows that the model learnt from.
        strategy: The strategy that was used against it, decided on the train rows.
        learnt_from: Number of rows of each class that the model was fitted on, in the order of the classes.
        on_test: The true values and the prediction of the test rows.
        intercept: The calibration intercept on test; None when it is undefined.
        test_groups: The number of groups, such as persons, among the test rows; None if each row is one.
        decisions: What the decisions for the test rows are worth; None unless two classes occur in them.
    """

    model: "Model"
    unseen: "tuple[tuple[Model, RowSource], ...]"
    final_model: FinalModel
    samples: int
    parameters: dict[str, Any]
    rounds: int | None
    fold_rounds: tuple[int, ...]
    stopped_early: bool
    seconds: float
    report: Evaluation
    criterion_results: tuple[CriterionResult, ...]
    default_metrics: dict[str, float]
    baseline_metrics: dict[str, float]
    gains: dict[str, PairedGain]
    segments: tuple[SegmentEvaluation, ...]
    slope: float | None
    imbalance: Imbalance
    strategy: Strategy
    learnt_from: dict[str, int]
    on_test: tuple[Array, Prediction]
    intercept: float | None = None
    test_groups: int | None = None
    decisions: DecisionValue | None = None

    @property
    def criteria_met(self) -> bool:
        """Whether every criterion is met; true when there are none."""
        return all(one.met for one in self.criterion_results)


def trained(experiment: Experiment, rows: TrainingRows, hpo: HpoOutput) -> Training:
    """Fit the final model and evaluate it: the only use of the test rows."""
    final_model = used_final_model(experiment, rows.facts)
    fits = (fitted_on_folds if final_model == "folds" else fitted)(experiment, rows, hpo)
    learnt = final_rows(experiment, rows)
    report = evaluation(
        experiment.problem_type,
        fits.predictions,
        threshold=fits.threshold,
        minority_class=fits.minority_class,
        ordered=rows.facts.ordered,
        weights=fits.weights,
        groups=_groups(rows),
        loss_metrics=experiment.loss_metrics,
        seed=experiment.hpo.seed,
    )
    test, (truth, _) = report.splits["test"], fits.predictions["test"]
    default = _on_test(experiment, rows, truth, Contender(fits.default_on_test, fits.default_threshold))
    dummy = _dummy(experiment, rows, fits, len(truth))
    baseline = _on_test(experiment, rows, truth, Contender(dummy))
    strategy = balancing(experiment, rows.facts, rows.train).strategy
    return Training(
        model=fits.model,
        unseen=fits.unseen,
        final_model=final_model,
        samples=fits.samples,
        parameters=fits.parameters,
        rounds=fits.rounds,
        fold_rounds=fits.fold_rounds,
        stopped_early=fits.stopped_early,
        seconds=fits.seconds,
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
        gains=_gains(
            experiment,
            rows,
            Contender(fits.predictions["test"][1], fits.threshold),
            {"defaults": Contender(fits.default_on_test, fits.default_threshold), "baseline": Contender(dummy)},
        ),
        segments=_segments(experiment, rows, report, fits.minority_class, *fits.predictions["test"]),
        slope=_calibrated(calibration_slope, experiment, rows, fits),
        intercept=_calibrated(calibration_intercept, experiment, rows, fits),
        test_groups=None if (groups := _groups(rows)) is None else len(np.unique(groups)),
        imbalance=found_imbalance(experiment, rows.facts, learnt),
        strategy=strategy,
        learnt_from=fits.class_counts,
        on_test=fits.predictions["test"],
        decisions=_decisions(experiment, rows, fits, is_probability=strategy == "none"),
    )


def _groups(rows: TrainingRows) -> Array | None:
    """Return the group of each test row; None if each row is a group of its own."""
    groups = rows.test.entities
    return None if groups is None or len(np.unique(groups)) == len(groups) else groups


def _gains(
    experiment: Experiment, rows: TrainingRows, model: Contender, references: Mapping[str, Contender]
) -> dict[str, PairedGain]:
    on_test = PairedRows(
        problem_type=experiment.problem_type,
        truth=target_codes(rows.test.target, rows.facts.classes),
        ordered=rows.facts.ordered,
        weights=rows.test.weights,
        groups=_groups(rows),
    )
    measure, seed = optimised(experiment.metric, experiment.problem_type), experiment.hpo.seed
    found = {name: paired_gain(on_test, measure, model, reference, seed=seed) for name, reference in references.items()}
    return {name: gain for name, gain in found.items() if gain is not None}


def _segments(
    experiment: Experiment,
    rows: TrainingRows,
    report: Evaluation,
    minority: int | None,
    truth: Array,
    prediction: Prediction,
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
        _groups(rows),
        experiment.loss_metrics,
        seed=report.seed,
    )
    return tuple(of)


def _calibrated(
    measured: Callable[[Array, Array, Array | None], float | None],
    experiment: Experiment,
    rows: TrainingRows,
    fits: Fits,
) -> float | None:
    """Return a measure of calibration on test; None unless there are two classes with probabilities."""
    truth, prediction, weights = counted(*fits.predictions["test"], rows.test.weights)
    if experiment.problem_type != "binary_classification" or prediction.scores is None:
        return None
    return measured(truth, prediction.scores, weights)


def _decisions(experiment: Experiment, rows: TrainingRows, fits: Fits, is_probability: bool) -> DecisionValue | None:
    truth, prediction = fits.predictions["test"]
    if fits.threshold is None or prediction.scores is None:
        return None
    weights, groups = rows.test.weights, _groups(rows)
    if weights is not None and groups is not None:
        groups = groups[weights > 0]
    truth, prediction, weights = counted(truth, prediction, weights)
    if len(np.unique(truth)) < 2 or prediction.scores is None:
        return None
    costs = experiment.costs
    return decision_value(
        truth,
        prediction.scores[:, 1],
        fits.threshold,
        None if costs is None else (costs.missed, costs.false_alarm),
        is_probability=is_probability,
        weights=weights,
        groups=groups,
    )


def _on_test(experiment: Experiment, rows: TrainingRows, truth: Array, model: Contender) -> dict[str, float]:
    return split_metrics(
        rows.facts.problem_type,
        truth,
        model.prediction,
        model.threshold,
        ordered=rows.facts.ordered,
        weights=rows.test.weights,
        loss_metrics=experiment.loss_metrics,
    )


def _dummy(experiment: Experiment, rows: TrainingRows, fits: Fits, n_rows: int) -> Prediction:
    """Return the prediction of a dummy model: the class shares of the train rows, or the best constant for the loss."""
    n_classes = len(rows.facts.classes)
    if not n_classes:
        constant = experiment.used_loss.constant(fits.y_train, fits.train_weights)
        return Prediction(labels=np.full(n_rows, constant))
    shares = np.bincount(fits.y_train, fits.train_weights, minlength=n_classes)
    shares = shares / shares.sum()
    return Prediction(np.full(n_rows, shares.argmax()), np.tile(shares, (n_rows, 1)))
