"""The rungs at which a growing model is looked at: log-spaced, because every report costs a write to storage."""

FIRST_REPORT_ROUND = 5
GROWTH = 1.6


def report_rounds(cap: int) -> tuple[int, ...]:
    """Return the rounds at which to report, ascending, below the cap: about eleven for a cap of 500.

    Args:
        cap: Rounds that the model may grow to, at least 1. The cap itself is left out: the final value is the trial's.
    """
    found = []
    report_round = float(FIRST_REPORT_ROUND)
    while round(report_round) < cap:
        found.append(round(report_round))
        report_round *= GROWTH
    return tuple(found)
