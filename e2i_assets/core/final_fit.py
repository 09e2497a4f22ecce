"""The fits of a training: the parameters as in their trial, and the final model, which may learn from more rows.

A figure on the validation rows, and the threshold, need a model that has not learnt from them: the model of the trial.
For a final model that is the mean of fold models, see `fold_fit`.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from e2i_assets.core.algorithms.algorithm import Fit
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts, TrainingRows
from e2i_assets.core.evaluation.thresholds import youden_threshold
from e2i_assets.core.experiments.experiment import Experiment, FinalModel
from e2i_assets.core.fitting.fit_context import FitContext, fit_context, merged, target_codes
from e2i_assets.core.fitting.joined_rows import JoinedRows
from e2i_assets.core.fitting.rows import RowSource
from e2i_assets.core.metrics import Array, Prediction
from e2i_assets.core.search.final_model_choice import used_final_model
from e2i_assets.core.search.tuning import balancing, defaults, experiment_fit_context, fixed, patience

if TYPE_CHECKING:
    from e2i_assets.core.fitting.averaged_model import Model

LEARNT_FROM: dict[FinalModel, str] = {
    "train_only": "train rows",
    "refit": "train and validation rows",
    "folds": "train and validation rows, as the mean of fold models",
}
# The rows of the metrics on validation, of the threshold and of the permutation importance.
EVALUATED_ON: dict[FinalModel, str] = {
    "train_only": "the validation rows",
    "refit": "the validation rows",
    "folds": "the train and validation rows, each predicted by the fold model that has not learnt from it",
}


@dataclass(frozen=True, slots=True)
class Fits:
    """The fitted models of a training, and their predictions.

    Attributes:
        model: The final model.
        unseen: Models with rows that they have not learnt from: the model of the trial with the validation rows, or
            each fold model with its held-out rows.
        parameters: The parameters of all of them, rounds included.
        rounds: Boosting rounds or trees; the median of fold models.
        fold_rounds: The rounds of each fold model; empty without.
        stopped_early: Whether early stopping decided the rounds.
        seconds: Wall time of the final fit alone.
        threshold: The decision threshold, chosen on the predictions of ``validation``.
        minority_class: Two classes only: the code of the rarer class of the train rows.
        predictions: True values and predictions. Of the model of the trial on ``train`` and ``validation``; with fold
            models for all rows of both, by the models that have learnt from a row (``train``) or have not
            (``validation``). Of the final model on ``test``.
        weights: The sample weights of the same rows; None weights all equally.
        default_on_test: The prediction for the test rows of the default parameters, fitted in the same way.
        default_threshold: The threshold of the default parameters, chosen in the same way.
        samples: Number of rows that the final model learnt from, before resampling.
        class_counts: Number of these rows of each class after resampling, in the order of the classes; resampled for
            fold models, their mean.
        y_train, train_weights: Shape (n,): target and relative weights of the train rows.
    """

    model: "Model"
    unseen: "tuple[tuple[Model, RowSource], ...]"
    parameters: dict[str, Any]
    rounds: int | None
    stopped_early: bool
    seconds: float
    threshold: float | None
    minority_class: int | None
    predictions: dict[str, tuple[Array, Prediction]]
    weights: dict[str, Array | None]
    default_on_test: Prediction
    default_threshold: float | None
    samples: int
    class_counts: dict[str, int]
    y_train: Array
    train_weights: Array | None
    fold_rounds: tuple[int, ...] = ()


def final_rows(experiment: Experiment, rows: SearchRows | TrainingRows) -> RowSource:
    """Return the rows that the final model learns from."""
    is_of_train = used_final_model(experiment, rows.facts) == "train_only"
    return rows.train if is_of_train else JoinedRows(rows.train, rows.validation)


def final_fit_context(experiment: Experiment, facts: SplitFacts, train: RowSource, learnt: RowSource) -> FitContext:
    """Return the fit context of the final model: no rows monitor its fits, because it learns from all of them.

    Args:
        experiment: The experiment.
        facts: The facts about the split.
        train: The train rows, which decided how the search treated class imbalance.
        learnt: The rows to learn from; the preprocessing is fitted on them.
    """
    algorithm = experiment.fitted_algorithm
    treated = balancing(experiment, facts, train)
    return fit_context(algorithm, facts.task, learnt, None, facts.classes, balancing=treated)


def fitted(experiment: Experiment, rows: TrainingRows, hpo: HpoOutput) -> Fits:
    """Fit the parameters of the contract and the default parameters, as in a trial and for the final model.

    After a completed search the parameters of the contract are used unchanged: they include the rounds, so there is no
    early stopping. Otherwise the defaults are fitted with early stopping when the experiment enables it. More rows are
    fitted with the same number of rounds, because none are left for early stopping.
    """
    context = experiment_fit_context(experiment, rows.facts, rows.train, rows.validation)
    tuned, seconds = timed(context, hpo.best_hyperparameters, None if hpo.hpo_completed else patience(experiment))
    untuned = merged(defaults(experiment), {}, fixed(experiment))
    default = context.fit(untuned, patience=patience(experiment))
    parameters, default_parameters = context.used(hpo.best_hyperparameters, tuned), context.used(untuned, default)
    seen = {split: _predicted(context, tuned, getattr(rows, split)) for split in ("train", "validation")}
    threshold = chosen_threshold(experiment, *seen["validation"], rows.validation.weights)
    default_threshold = chosen_threshold(
        experiment, *_predicted(context, default, rows.validation), rows.validation.weights
    )
    trial_model, y_train, train_weights = context.model(tuned, threshold), context.y_train, context.train_weights
    final, model = tuned, trial_model
    if used_final_model(experiment, rows.facts) != "train_only":
        del context  # its matrices are not needed while those of more rows are made
        learnt = final_rows(experiment, rows)
        context = final_fit_context(experiment, rows.facts, rows.train, learnt)
        final, seconds = timed(context, parameters)
        default = context.fit(default_parameters)
        model = context.model(final, threshold)
    return Fits(
        model=model,
        unseen=((trial_model, rows.validation),),
        parameters=parameters,
        rounds=tuned.rounds,
        stopped_early=tuned.stopped_early or hpo.hpo_best_stopped_early,
        seconds=seconds,
        threshold=threshold,
        minority_class=rarer_class(rows.facts, y_train, train_weights),
        predictions={**seen, "test": _predicted(context, final, rows.test)},
        weights={split: getattr(rows, split).weights for split in ("train", "validation", "test")},
        default_on_test=context.on(default, rows.test),
        default_threshold=default_threshold,
        samples=len(context.y_train),
        class_counts=class_counts(context),
        y_train=y_train,
        train_weights=train_weights,
    )


def timed(context: FitContext, parameters: Mapping[str, Any], stops: int | None = None) -> tuple[Fit, float]:
    """Return a fit and its wall time in seconds.

    Args:
        context: The rows.
        parameters: The full parameter set.
        stops: Boosting rounds without improvement before early stopping; None for no early stopping.
    """
    began = time.perf_counter()
    fit = context.fit(parameters, patience=stops)
    return fit, time.perf_counter() - began


def _predicted(context: FitContext, fit: Fit, rows: RowSource) -> tuple[Array, Prediction]:
    return target_codes(rows.target, context.classes), context.on(fit, rows)


def chosen_threshold(
    experiment: Experiment, codes: Array, prediction: Prediction, weights: Array | None
) -> float | None:
    """Return the threshold for predictions of unseen rows; None unless there are two classes."""
    if experiment.problem_type != "binary_classification" or prediction.scores is None:
        return None
    return youden_threshold(codes, prediction.scores, weights)


def rarer_class(facts: SplitFacts, codes: Array, weights: Array | None) -> int | None:
    """Return the code of the rarer one of two classes; None for any other number of classes."""
    return int(np.bincount(codes, weights, minlength=2).argmin()) if facts.task.n_classes == 2 else None


def class_counts(context: FitContext) -> dict[str, int]:
    """Return the number of rows of each class that a fit of the context learns from, after resampling."""
    if not context.classes:
        return {}
    counts = np.bincount(context.prepared_data.y_train, minlength=len(context.classes))
    return {str(label): int(count) for label, count in zip(context.classes, counts, strict=True)}
