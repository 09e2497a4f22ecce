"""Early stopping and intermediate reports of a fit, at log-spaced rounds because every report is a write to storage."""

from collections.abc import Callable
from dataclasses import dataclass

from e2i_assets.core.algorithms.target_unit import TargetUnit
from e2i_assets.core.metrics import Prediction

FIRST_REPORT_ROUND = 5
GROWTH = 1.6


def report_rounds(cap: int) -> tuple[int, ...]:
    """Return the rounds at which to report, ascending, below the cap: about eleven for a cap of 500.

    Args:
        cap: Maximum number of rounds, at least 1. It is not in the schedule: its value is the value of the trial.
    """
    found = []
    report_round = float(FIRST_REPORT_ROUND)
    while round(report_round) < cap:
        found.append(round(report_round))
        report_round *= GROWTH
    return tuple(found)


@dataclass(frozen=True, slots=True)
class FitMonitor:
    """The monitoring of a fit on the validation rows.

    Attributes:
        patience: Boosting rounds without a lower validation loss before a booster stops; None grows all rounds.
        report: Called with the number of rounds so far and the prediction for the validation rows; it may raise to end
            the fit. None disables reports.
    """

    patience: int | None = None
    report: Callable[[int, Prediction], None] | None = None

    def in_original(self, unit: TargetUnit) -> "FitMonitor":
        """Return the monitor for a fit in a target unit: it reports predictions in the original unit."""
        report = self.report
        if report is None:
            return self
        return FitMonitor(self.patience, lambda rounds, prediction: report(rounds, unit.original(prediction)))


class EarlyStopper:
    """Decides when one booster stops, round by round.

    Attributes:
        best_round: The round with the lowest loss so far, the first of equal ones; at least 1.
    """

    def __init__(self, watch: FitMonitor, cap: int) -> None:
        self._watch = watch
        self._report_rounds = frozenset(report_rounds(cap)) if watch.report else frozenset()
        self._best_loss = float("inf")
        self.best_round = 1

    def is_report_round(self, grown: int) -> bool:
        """Whether the schedule has a report at this round."""
        return grown in self._report_rounds

    def report(self, grown: int, prediction: Prediction) -> None:
        """Report the prediction of a round."""
        if self._watch.report is not None:
            self._watch.report(grown, prediction)

    def has_seen_enough(self, grown: int, loss: float) -> bool:
        """Record the loss of a round and return whether the patience is exhausted."""
        if loss < self._best_loss:
            self._best_loss, self.best_round = loss, grown
        return self._watch.patience is not None and grown - self.best_round >= self._watch.patience

    def rounds(self, cap: int) -> int:
        """Return the number of rounds that the model keeps."""
        return cap if self._watch.patience is None else self.best_round
