"""The report schedule of a fit: log-spaced rounds, because every report costs a write to storage."""

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
