"""Tuning again: when a model is old enough for it, and how long such a study goes on."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# A re-tune begins where the memory and its own earlier trials have led to, so that it takes a fifth of a whole study.
_SHARE = 5
_FEWEST_TRIALS = 5


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to tune again, and why."""

    run: bool
    why: str


def decision(
    trained: datetime | None, now: datetime, after_days: float, searches: bool, asked: bool, under_way: bool
) -> Decision:
    """Decide about one experiment.

    Args:
        trained: When its last training finished; None when none did.
        now: The moment of the decision.
        after_days: How old its model may be.
        searches: Whether it has a search at all.
        asked: Whether a re-tune was asked for since that training.
        under_way: Whether a run of it is asked for, waits or goes on.
    """
    if trained is None:
        return Decision(False, "it has no model yet")
    if not searches:
        return Decision(False, "it has no search")
    if under_way:
        return Decision(False, "a run of it is under way")
    age = now - trained
    if age < timedelta(days=after_days):
        return Decision(False, "its model is young enough")
    if asked:
        return Decision(False, "a re-tune was asked for, and has not trained it")
    return Decision(True, f"its model is {age.days} days old")


def trials(asked: int, spent: int) -> int:
    """Return the budget of a study that is tuned again.

    Args:
        asked: Budget that the experiment gives a whole study.
        spent: Trials that this study has spent: none where its rows are new.
    """
    return spent + max(_FEWEST_TRIALS, asked // _SHARE)
