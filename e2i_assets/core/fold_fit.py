"""The final model as the mean of fold models: each stops early on its held-out rows, and all rows are learnt from.

A figure for a row comes from the models that have not learnt from it. Only test rows are predicted by the mean.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.algorithm import Fit
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.folds import Fold, folds
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts, TrainingRows
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.final_fit import Fits, chosen_threshold, class_counts, rarer_class, timed
from e2i_assets.core.fitting.averaged_model import AveragedModel
from e2i_assets.core.fitting.fit_context import FitContext, fit_context, merged, predicted_table, target_codes
from e2i_assets.core.fitting.fitted_model import FittedModel
from e2i_assets.core.fitting.reasons import pool
from e2i_assets.core.fitting.rows import RowSource
from e2i_assets.core.fitting.weighting import relative
from e2i_assets.core.imbalance import RESAMPLING, Strategy
from e2i_assets.core.metrics import Array, Prediction
from e2i_assets.core.search.cross_validation import typical
from e2i_assets.core.search.tuning import balancing, defaults, fixed, patience

_OTHERWISE = "set final_model: refit"


def final_folds(experiment: Experiment, rows: SearchRows) -> Iterator[Fold]:
    """Return the folds of the final model: those of a search on folds.

    Raises:
        DataInvalid: A class or the groups have too few members for them.
    """
    hpo = experiment.hpo
    return folds(rows, hpo.folds, hpo.repeats, hpo.seed, _OTHERWISE)


def fitted_on_folds(experiment: Experiment, rows: TrainingRows, hpo: HpoOutput) -> Fits:
    """Fit the parameters of the contract and the default parameters on each fold, with early stopping on the rest.

    The cap of the rounds is the one of the search where early stopping decides them, else the rounds of the contract.
    """
    facts, algorithm = rows.facts, experiment.fitted_algorithm
    untuned = merged(defaults(experiment), {}, fixed(experiment))
    found = _on_each_fold(experiment, rows, _capped(experiment, hpo.best_hyperparameters, untuned), untuned)
    tuned, default = found.tuned, found.default
    unseen, default_unseen = tuned.unseen.mean(), default.unseen.mean()
    threshold = chosen_threshold(experiment, found.truth, unseen, found.weights)
    model, name = tuned.mean(threshold), algorithm.rounds_parameter
    rounds = tuple(fit.rounds for fit in tuned.fits if fit.rounds is not None)
    stopped = {name: typical(rounds)} if name and rounds and not hpo.hpo_completed else {}
    y_train, train_weights = target_codes(rows.train.target, facts.classes), relative(rows.train.weights)
    test = target_codes(rows.test.target, facts.classes), predicted_table(model, rows.test.features)
    return Fits(
        model=model,
        unseen=tuple(zip(tuned.models, found.held_out, strict=True)),
        parameters={**hpo.best_hyperparameters, **stopped},
        rounds=typical(rounds),
        fold_rounds=rounds,
        stopped_early=any(fit.stopped_early for fit in tuned.fits) or hpo.hpo_best_stopped_early,
        seconds=found.seconds,
        threshold=threshold,
        minority_class=rarer_class(facts, y_train, train_weights),
        predictions={"train": (found.truth, found.learnt.mean()), "validation": (found.truth, unseen), "test": test},
        weights={"train": found.weights, "validation": found.weights, "test": rows.test.weights},
        default_on_test=predicted_table(default.mean(None), rows.test.features),
        default_threshold=chosen_threshold(experiment, found.truth, default_unseen, found.weights),
        samples=len(found.truth),
        class_counts=found.class_counts,
        y_train=y_train,
        train_weights=train_weights,
    )


def _capped(experiment: Experiment, parameters: Mapping[str, Any], untuned: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with the rounds at which the fit of a fold ends unless it stops early."""
    name = registry.algorithm(experiment.algorithm).rounds_parameter
    return {**parameters, name: untuned[name]} if name and experiment.stops_rounds else dict(parameters)


@dataclass(slots=True)
class _RowMeans:
    """The mean prediction of each row, over the models that predicted it; class codes are from the mean scores."""

    sums: Array
    counts: Array

    @classmethod
    def of(cls, facts: SplitFacts, rows: int) -> "_RowMeans":
        return cls(np.zeros((rows, len(facts.classes)) if facts.classes else rows), np.zeros(rows))

    def add(self, at: Array, prediction: Prediction) -> None:
        self.sums[at] += prediction.labels if prediction.scores is None else prediction.scores
        self.counts[at] += 1

    def mean(self) -> Prediction:
        if self.sums.ndim == 1:
            return Prediction(self.sums / self.counts)
        scores = self.sums / self.counts[:, None]
        return Prediction(scores.argmax(axis=1), scores)


@dataclass(slots=True)
class _FoldModels:
    """The fits of one parameter set, and the predictions of the rows that each has not learnt from."""

    unseen: _RowMeans
    fits: list[Fit] = field(default_factory=list)
    models: list[FittedModel] = field(default_factory=list)

    def add(self, context: FitContext, fold: Fold, fit: Fit) -> None:
        self.fits.append(fit)
        self.models.append(context.model(fit))
        self.unseen.add(fold.unseen, context.on_validation(fit))

    def mean(self, threshold: float | None) -> AveragedModel:
        return AveragedModel(self.models, threshold, pool(self.models[0]))


@dataclass(slots=True)
class _OnFolds:
    """The fold models of the tuned and of the default parameters, and the rows in the order that the folds share."""

    tuned: _FoldModels
    default: _FoldModels
    learnt: _RowMeans
    truth: Array
    weights: Array | None
    held_out: list[RowSource] = field(default_factory=list)
    seconds: float = 0.0
    class_counts: dict[str, int] = field(default_factory=dict)


def _on_each_fold(
    experiment: Experiment, rows: TrainingRows, parameters: Mapping[str, Any], untuned: Mapping[str, Any]
) -> _OnFolds:
    facts, algorithm, stops = rows.facts, experiment.fitted_algorithm, patience(experiment)
    count = len(rows.train.target) + len(rows.validation.target)
    tuned, default, learnt = (_RowMeans.of(facts, count) for _ in range(3))
    weights = None if rows.train.weights is None else np.zeros(count)
    found = _OnFolds(_FoldModels(tuned), _FoldModels(default), learnt, np.zeros(count), weights)
    treated, counts = balancing(experiment, facts, rows.train), []
    for fold in final_folds(experiment, rows.searched):
        context = fit_context(algorithm, facts.task, fold.train, fold.held_out, facts.classes, balancing=treated)
        fit, seconds = timed(context, parameters, stops)
        found.seconds += seconds
        found.tuned.add(context, fold, fit)
        found.default.add(context, fold, fit if parameters == untuned else context.fit(untuned, patience=stops))
        found.learnt.add(fold.learnt, context.on(fit, fold.train))
        found.truth[fold.unseen] = context.y_validation
        if weights is not None:
            weights[fold.unseen] = fold.held_out.weights
        found.held_out.append(fold.held_out)
        counts.append(class_counts(context))
    if facts.classes:
        found.truth = found.truth.astype(np.int64)
    found.class_counts = _class_counts(facts, found.truth, treated.strategy, counts)
    return found


def _class_counts(
    facts: SplitFacts, truth: Array, strategy: Strategy, of_folds: Sequence[Mapping[str, int]]
) -> dict[str, int]:
    """Return the rows of each class that were learnt from; if they were resampled, the mean over the folds."""
    if strategy in RESAMPLING:
        return {label: round(np.mean([one[label] for one in of_folds])) for label in of_folds[0]}
    distribution = np.bincount(truth, minlength=len(facts.classes)) if facts.classes else ()
    return {str(label): int(number) for label, number in zip(facts.classes, distribution, strict=True)}
