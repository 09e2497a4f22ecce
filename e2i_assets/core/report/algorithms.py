"""The leaderboard of the algorithms in a report."""

from e2i_assets.core.report.facts import ReportFacts, Rows, number
from e2i_assets.core.search.leaderboard import only_row


def algorithms(report: ReportFacts) -> Rows:
    """Return the leaderboard of the algorithms, of one row if there is one; empty without a study."""
    study, experiment, hpo = report.record.study, report.record.experiment, report.record.hpo
    board = hpo.hpo_leaderboard
    if board is None:
        board = [] if study is None else [only_row(experiment, report.record.start.study_key, study)]
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
