"""Judging on folds of train and validation, where so few rows validate that luck would tell configurations apart."""

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

Told = Literal["mean", "each"]


@dataclass(frozen=True, slots=True)
class OnFolds:
    """Fit and judge once a fold; a value is the mean over all folds.

    The folds come in the same order in every trial, so that a step is the same rows for all. A report is what a
    trial's folds are worth so far (``mean``), for pruners that compare trials by one number; or the value of one fold
    (``each``), for the Wilcoxon pruner, which pairs the folds of two trials. The last fold is not reported: once it
    is fitted there is nothing left to save, and a trial whose folds are all judged is complete.

    Attributes:
        benches: One for each fold, with preprocessing fitted on that fold's train part alone.
        told: What a report says.
    """

    benches: tuple[FitContext, ...]
    told: Told = "mean"

    @property
    def folds(self) -> int:
        """How many there are, repetitions included; a step is the number of folds judged so far."""
        return len(self.benches)

    def outcome(
        self,
        parameters: Mapping[str, Any],
        goals: Sequence[Goal],
        patience: int | None,
        report: Report | None = None,
    ) -> Outcome:
        """Fit every fold, each stopped early on its own held-out part; see `Scheme`."""
        measures: list[dict[str, float]] = []
        rounds: list[int | None] = []
        stopped_early = False
        for step, one in enumerate(self.benches, start=1):
            fit = one.fit(parameters, patience=patience)
            measures.append(_measured(step, one, fit, goals))
            rounds.append(fit.rounds)
            stopped_early |= fit.stopped_early
            if report is not None and step < self.folds:
                report(step, self._so_far(measures, goals[0]))
        fold_rounds = tuple(count for count in rounds if count is not None)
        kept = typical(fold_rounds)
        return Outcome(
            measures=_means(measures),
            parameters=self.benches[0].used(parameters, Fit(estimator=None, rounds=kept)),
            rounds=kept,
            stopped_early=stopped_early,
            fold_rounds=fold_rounds,
        )

    def again(
        self, parameters: Mapping[str, Any], goals: Sequence[Goal], fold_rounds: Sequence[int] = ()
    ) -> dict[str, float]:
        """Fit each fold unwatched with the rounds that it had; see `Scheme`.

        Raises:
            E2iError: The rounds are of another number of folds.
        """
        if fold_rounds and len(fold_rounds) != self.folds:
            raise E2iError(f"it has the rounds of {len(fold_rounds)} folds, and there are {self.folds}")
        rounds: Sequence[int | None] = fold_rounds or [None] * self.folds
        measures = []
        for step, (one, count) in enumerate(zip(self.benches, rounds, strict=True), start=1):
            fit = one.fit(one.used(parameters, Fit(estimator=None, rounds=count)))
            measures.append(_measured(step, one, fit, goals))
        return _means(measures)

    def _so_far(self, measures: Sequence[Mapping[str, float]], goal: Goal) -> float:
        values = [goal.oriented(one[goal.name]) for one in measures]
        return values[-1] if self.told == "each" else statistics.fmean(values)


def on_folds(
    algorithm: Algorithm,
    facts: SplitFacts,
    folds: Iterable[Fold],
    told: Told = "mean",
    group_columns: Sequence[str] = (),
    balancing: Balancing = AS_THEY_COME,
) -> OnFolds:
    """Prepare each fold, once for the whole study."""
    benches = (
        fit_context(algorithm, facts.task, fold.train, fold.held_out, facts.classes, group_columns, balancing)
        for fold in folds
    )
    return OnFolds(tuple(benches), told)


def typical(rounds: Sequence[int]) -> int | None:
    """Return the median, rounded: one fold whose loss creeps on to the cap must not decide the final model's rounds."""
    return max(1, round(statistics.median(rounds))) if rounds else None


def _measured(step: int, one: FitContext, fit: Fit, goals: Sequence[Goal]) -> dict[str, float]:
    try:
        return measured(one, fit, goals)
    except TrialNotFinite as error:
        raise TrialNotFinite(f"fold {step}: {error}") from error


def _means(measures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: statistics.fmean(one[name] for one in measures) for name in measures[0]}
