"""How a growing model is followed: reported at the rungs of the ladder, and stopped when its loss no longer falls."""

from collections.abc import Callable
from dataclasses import dataclass

from e2i_assets.core.algorithms.report_schedule import report_rounds
from e2i_assets.core.algorithms.target_unit import TargetUnit
from e2i_assets.core.metrics import Prediction


@dataclass(frozen=True, slots=True)
class FitMonitor:
    """How a fit is watched on the validation rows.

    Attributes:
        patience: Boosting rounds without a lower validation loss before a booster stops, or None to grow them all.
        report: Called with the number of rounds grown so far and the prediction for the validation rows; it may raise
            to end the fit. None when nobody listens.
    """

    patience: int | None = None
    report: Callable[[int, Prediction], None] | None = None

    def in_original(self, unit: TargetUnit) -> "FitMonitor":
        """Return the same for a fit that learns its target in a unit: predictions are reported in the original one."""
        report = self.report
        if report is None:
            return self
        return FitMonitor(self.patience, lambda rounds, prediction: report(rounds, unit.original(prediction)))


class EarlyStopper:
    """Follows one booster round by round.

    Attributes:
        best_round: The round with the lowest loss so far, the first of equal ones; at least 1.
    """

    def __init__(self, watch: FitMonitor, cap: int) -> None:
        self._watch = watch
        self._report_rounds = frozenset(report_rounds(cap)) if watch.report else frozenset()
        self._best_loss = float("inf")
        self.best_round = 1

    def is_report_round(self, grown: int) -> bool:
        """Whether the model is reported at this round."""
        return grown in self._report_rounds

    def report(self, grown: int, prediction: Prediction) -> None:
        """Hand a rung's prediction on."""
        if self._watch.report is not None:
            self._watch.report(grown, prediction)

    def has_seen_enough(self, grown: int, loss: float) -> bool:
        """Take a round's loss in, and say whether patience has run out."""
        if loss < self._best_loss:
            self._best_loss, self.best_round = loss, grown
        return self._watch.patience is not None and grown - self.best_round >= self._watch.patience

    def rounds(self, cap: int) -> int:
        """Return the rounds that the model keeps."""
        return cap if self._watch.patience is None else self.best_round
