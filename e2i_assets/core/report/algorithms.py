"""The leaderboard of the algorithms in a report."""

from e2i_assets.core.report.facts import ReportFacts, Rows, number
from e2i_assets.core.search.leaderboard import leaderboard_of


def algorithms(report: ReportFacts) -> Rows:
    """Return the leaderboard of the algorithms, of one row if there is one; empty without a study."""
    record, experiment = report.record, report.record.experiment
    board = leaderboard_of(experiment, record.start.study_key, record.study, record.hpo.hpo_leaderboard)
    return [
        {
            "algorithm": one.algorithm,
            experiment.metric: number(one.value),
            "95 % interval": "" if one.low is None else f"{number(one.low)} to {number(one.high)}",
            "trials": f"{one.trials:,}",
            "seconds": number(one.seconds, 3),
            "verdict": one.verdict,
        }
        for one in board
    ]
