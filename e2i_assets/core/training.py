"""The final fit, from exactly the parameters of the contract, and its one look at the test rows."""

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
from e2i_assets.core.evaluation.verdict import Judgement, judged
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.bench import Bench, merged, target_codes
from e2i_assets.core.fitting.rows import RowSource
from e2i_assets.core.imbalance import Imbalance, Strategy
from e2i_assets.core.metrics import Array, Prediction
from e2i_assets.core.search.tuning import defaults, experiment_bench, fixed, found_imbalance, patience

if TYPE_CHECKING:
    from e2i_assets.core.fitting.fitted_model import FittedModel

ROLES = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Training:
    """A trained model with its report card.

    Attributes:
        model: Table in, labels or values out.
        parameters: What it was fitted with, rounds included.
        rounds: Boosting rounds or trees of the model.
        stopped_early: Whether early stopping decided the rounds, in the search or here.
        seconds: Wall time of the final fit alone.
        report: Metrics, intervals and the threshold that was chosen on validation.
        judgements: The success criteria, held against the test rows.
        default_metrics, baseline_metrics: The same test metrics of the default parameters and of a dummy model.
        segments: How it does for each value of the columns that the experiment names, on test.
        slope: The calibration slope on test, None where there is none.
        imbalance: How uneven the classes of the train rows are.
        strategy: What was done about it.
        learnt_from: Rows of each class that the model was fitted on, in the order of the classes.
        on_test: The truth and the prediction of the test rows.
    """

    model: "FittedModel"
    parameters: dict[str, Any]
    rounds: int | None
    stopped_early: bool
    seconds: float
    report: Evaluation
    judgements: tuple[Judgement, ...]
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
        """Whether every criterion holds; no criteria all hold."""
        return all(one.met for one in self.judgements)


def trained(experiment: Experiment, rows: TrainingRows, hpo: HpoOutput) -> Training:
    """Fit the final model on the train rows and evaluate it.

    With a completed search the parameters are taken as they are: the rounds are among them, and validation is not
    looked at again. Otherwise the defaults are fitted with early stopping, as the experiment asks.
    """
    bench = experiment_bench(experiment, rows.facts, rows.train, rows.validation)
    began = time.perf_counter()
    fit = bench.fit(hpo.best_hyperparameters, patience=None if hpo.hpo_completed else patience(experiment))
    seconds = time.perf_counter() - began
    predictions = {role: _judged_rows(bench, fit, rows, role) for role in ROLES}
    minority = _minority_class(bench)
    report = evaluation(
        experiment.problem_type,
        predictions,
        threshold=_threshold(experiment, predictions["validation"]),
        minority_class=minority,
        seed=experiment.hpo.seed,
    )
    default = _metrics_of_defaults(experiment, bench, rows, predictions["test"][0])
    baseline = _metrics_of_dummy(experiment, bench, predictions["test"][0])
    test = report.splits["test"]
    return Training(
        model=bench.model(fit),
        parameters=bench.used(hpo.best_hyperparameters, fit),
        rounds=fit.rounds,
        stopped_early=fit.stopped_early or hpo.hpo_best_stopped_early,
        seconds=seconds,
        report=report,
        judgements=judged(
            criteria(experiment.success_criteria, experiment.problem_type, experiment.metric),
            test.metrics,
            baseline=baseline,
            defaults=default,
            not_computable=test.not_computable,
        ),
        default_metrics=default,
        baseline_metrics=baseline,
        segments=_segments(rows, report, minority, *predictions["test"]),
        slope=_slope(experiment, *predictions["test"]),
        imbalance=found_imbalance(experiment, rows.facts, rows.train),
        strategy=bench.balancing.strategy,
        learnt_from=_learnt_from(bench),
        on_test=predictions["test"],
    )


def _learnt_from(bench: Bench) -> dict[str, int]:
    counts = np.bincount(bench.material.y_train, minlength=len(bench.classes)) if bench.classes else ()
    return {str(label): int(count) for label, count in zip(bench.classes, counts, strict=True)}


def _judged_rows(bench: Bench, fit: Fit, rows: TrainingRows, role: str) -> tuple[Array, Prediction]:
    part: RowSource = getattr(rows, role)
    return target_codes(part.target, bench.classes), bench.on(fit, part)


def _threshold(experiment: Experiment, validation: tuple[Array, Prediction]) -> float | None:
    codes, prediction = validation
    if experiment.problem_type != "binary_classification" or prediction.scores is None:
        return None
    return youden_threshold(codes, prediction.scores)


def _segments(
    rows: TrainingRows, report: Evaluation, minority: int | None, truth: Array, prediction: Prediction
) -> tuple[SegmentEvaluation, ...]:
    """Judge the parts of the test rows as the whole is judged: at its threshold, with its rarer class."""
    if rows.segments is None:
        return ()
    columns = {name: values.to_numpy() for name, values in segment_labels(rows.segments).items()}
    of = segment_evaluations(
        report.problem_type, truth, prediction, columns, report.threshold, minority, seed=report.seed
    )
    return tuple(of)


def _slope(experiment: Experiment, truth: Array, prediction: Prediction) -> float | None:
    if experiment.problem_type != "binary_classification" or prediction.scores is None:
        return None
    return calibration_slope(truth, prediction.scores)


def _minority_class(bench: Bench) -> int | None:
    return None if bench.task.n_classes != 2 else int(np.bincount(bench.y_train, minlength=2).argmin())


def _metrics_of_defaults(experiment: Experiment, bench: Bench, rows: TrainingRows, truth: Array) -> dict[str, float]:
    parameters: Mapping[str, Any] = merged(defaults(experiment), {}, fixed(experiment))
    fit = bench.fit(parameters, patience=patience(experiment))
    threshold = _threshold(experiment, _judged_rows(bench, fit, rows, "validation"))
    return split_metrics(experiment.problem_type, truth, _judged_rows(bench, fit, rows, "test")[1], threshold)


def _metrics_of_dummy(experiment: Experiment, bench: Bench, truth: Array) -> dict[str, float]:
    """Return what predicting the train rows' class shares, or their mean, is worth."""
    if experiment.problem_type == "regression":
        guess = Prediction(labels=np.full(len(truth), bench.y_train.mean()))
    else:
        shares = np.bincount(bench.y_train, minlength=len(bench.classes)) / len(bench.y_train)
        guess = Prediction(np.full(len(truth), shares.argmax()), np.tile(shares, (len(truth), 1)))
    return split_metrics(experiment.problem_type, truth, guess)
