"""Re-tuning: when a model is old enough for it, and the trial budget of such a study."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# A re-tune starts from the memory and from its own earlier trials, so a fifth of the full budget is enough.
_SHARE = 5
_FEWEST_TRIALS = 5


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to tune again, and the reason."""

    run: bool
    why: str


def decision(
    trained: datetime | None, now: datetime, after_days: float, searches: bool, asked: bool, under_way: bool
) -> Decision:
    """Decide about one experiment.

    Args:
        trained: Time at which its last training finished; None when none has.
        now: Time of the decision.
        after_days: Age in days at which the model is tuned again.
        searches: Whether the experiment has a search.
        asked: Whether a re-tune was requested since that training.
        under_way: Whether a run of the experiment is requested, queued or running.
    """
    if trained is None:
        return Decision(False, "it has no model yet")
    if not searches:
        return Decision(False, "it has no search")
    if under_way:
        return Decision(False, "a run of it is in progress")
    age = now - trained
    if age < timedelta(days=after_days):
        return Decision(False, "its model is not old enough")
    if asked:
        return Decision(False, "a re-tune was requested, but it has not trained a model")
    return Decision(True, f"its model is {age.days} days old")


def trials(asked: int, spent: int) -> int:
    """Return the trial budget of a re-tuned study.

    Args:
        asked: The full trial budget of the experiment.
        spent: Trials that this study has already spent: 0 when its rows are new.
    """
    return spent + max(_FEWEST_TRIALS, asked // _SHARE)
