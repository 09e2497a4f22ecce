"""Evaluation of trials by cross-validation, for data with too few validation rows to compare configurations."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from e2i_assets.core.algorithms.algorithm import Algorithm, Fit
from e2i_assets.core.data.folds import Fold
from e2i_assets.core.data.split_tables import SplitFacts
from e2i_assets.core.errors import E2iError
from e2i_assets.core.fitting.fit_context import FitContext, fit_context
from e2i_assets.core.imbalance import AS_THEY_COME, Balancing
from e2i_assets.core.search.goals import Goal
from e2i_assets.core.search.schemes import Outcome, Report, TrialNotFinite, measured

Reported = Literal["mean", "each"]


@dataclass(frozen=True, slots=True)
class OnFolds:
    """Fit and evaluate a parameter set on each fold; a measure is the mean over all folds.

    Every trial uses the folds in the same order, so a report step means the same rows in all trials. A report contains
    the mean over the folds so far (``mean``), for pruners that compare trials by one number, or the value of one fold
    (``each``), for the Wilcoxon pruner, which pairs the folds of two trials. The last fold is not reported: after it
    the trial is complete, and pruning would save nothing.

    Attributes:
        fit_contexts: One for each fold, with preprocessing fitted on the train rows of that fold only.
        reported: Which value a report contains.
    """

    fit_contexts: tuple[FitContext, ...]
    reported: Reported = "mean"

    @property
    def folds(self) -> int:
        """Number of folds, repetitions included; a report step is the number of folds evaluated so far."""
        return len(self.fit_contexts)

    def outcome(
        self,
        parameters: Mapping[str, Any],
        goals: Sequence[Goal],
        patience: int | None,
        report: Report | None = None,
    ) -> Outcome:
        """Fit each fold, with early stopping on the held-out rows of that fold; see `Scheme`."""
        measures: list[dict[str, float]] = []
        rounds: list[int | None] = []
        stopped_early = False
        for step, one in enumerate(self.fit_contexts, start=1):
            fit = one.fit(parameters, patience=patience)
            measures.append(_measured(step, one, fit, goals))
            rounds.append(fit.rounds)
            stopped_early |= fit.stopped_early
            if report is not None and step < self.folds:
                report(step, self._so_far(measures, goals[0]))
        fold_rounds = tuple(count for count in rounds if count is not None)
        median_rounds = typical(fold_rounds)
        return Outcome(
            measures=_means(measures),
            parameters=self.fit_contexts[0].used(parameters, Fit(estimator=None, rounds=median_rounds)),
            rounds=median_rounds,
            stopped_early=stopped_early,
            fold_rounds=fold_rounds,
        )

    def again(
        self, parameters: Mapping[str, Any], goals: Sequence[Goal], fold_rounds: Sequence[int] = ()
    ) -> dict[str, float]:
        """Fit each fold without early stopping, with its stored number of rounds; see `Scheme`."""
        return _means(self.again_on_each(parameters, goals, fold_rounds))

    def again_on_each(
        self, parameters: Mapping[str, Any], goals: Sequence[Goal], fold_rounds: Sequence[int] = ()
    ) -> list[dict[str, float]]:
        """Fit as `again` does, and return the measures of each fold.

        Raises:
            E2iError: ``fold_rounds`` has another number of folds.
        """
        if fold_rounds and len(fold_rounds) != self.folds:
            raise E2iError(f"the trial has the rounds of {len(fold_rounds)} folds, but the study has {self.folds}")
        rounds: Sequence[int | None] = fold_rounds or [None] * self.folds
        measures = []
        for step, (one, count) in enumerate(zip(self.fit_contexts, rounds, strict=True), start=1):
            fit = one.fit(one.used(parameters, Fit(estimator=None, rounds=count)))
            measures.append(_measured(step, one, fit, goals))
        return measures

    def _so_far(self, measures: Sequence[Mapping[str, float]], goal: Goal) -> float:
        values = [goal.oriented(one[goal.name]) for one in measures]
        return values[-1] if self.reported == "each" else statistics.fmean(values)


def on_folds(
    algorithm: Algorithm,
    facts: SplitFacts,
    folds: Iterable[Fold],
    reported: Reported = "mean",
    group_columns: Sequence[str] = (),
    balancing: Balancing = AS_THEY_COME,
) -> OnFolds:
    """Return the evaluation on these folds, with the rows of each fold prepared once for the whole study."""
    fit_contexts = (
        fit_context(algorithm, facts.task, fold.train, fold.held_out, facts.classes, group_columns, balancing)
        for fold in folds
    )
    return OnFolds(tuple(fit_contexts), reported)


def typical(rounds: Sequence[int]) -> int | None:
    """Return the rounded median, because a single fold that reaches the cap must not decide the final rounds."""
    return max(1, round(statistics.median(rounds))) if rounds else None


def _measured(step: int, one: FitContext, fit: Fit, goals: Sequence[Goal]) -> dict[str, float]:
    try:
        return measured(one, fit, goals)
    except TrialNotFinite as error:
        raise TrialNotFinite(f"fold {step}: {error}") from error


def _means(measures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: statistics.fmean(one[name] for one in measures) for name in measures[0]}
