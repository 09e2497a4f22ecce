"""The comparison of algorithms: a study each in one budget, then the choice of the one to train."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.figures import figure
from e2i_assets.core.metrics import metric
from e2i_assets.core.search import tuning
from e2i_assets.core.search.allotment import best_of_first, searched
from e2i_assets.core.search.leaderboard import Competitor, leaderboard, ranked
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search.value_noise import value_noise


def compared(
    experiment: Experiment,
    order: Sequence[str],
    rows: SearchRows,
    search: Callable[[Experiment], StudyResult],
    notify: Callable[[str], object] = lambda line: None,
    clock: Callable[[], float] = time.monotonic,
) -> tuning.Tuned:
    """Search the algorithms of an experiment in its budget, and return the one to train with its study.

    Args:
        experiment: An experiment with several algorithms.
        order: Their names in the order in which they are tried, which of equal values prefers the earlier.
        rows: Train and validation rows.
        search: Runs or resumes the study of an experiment with one algorithm, to its number of trials.
        notify: Called with a line for each round, and one for the result.
        clock: Returns seconds from a monotonic clock.
    """
    seconds = tuning.timeout_seconds(experiment)
    deadline = None if seconds is None else clock() + seconds

    def search_to(place: int, trials: int, share: float) -> StudyResult:
        of = experiment.of(order[place])
        budget: dict[str, float] = {"trials": trials}
        if deadline is not None:
            budget["timeout_hours"] = max(0.0, deadline - clock()) * share / tuning.SECONDS_PER_HOUR
        found = search(of.model_copy(update={"hpo": of.hpo.model_copy(update=budget)}))
        notify(_line(of, found, trials))
        return found

    results = searched(len(order), experiment.hpo.trials, search_to)
    competitors = [
        Competitor(of := experiment.of(name), tuning.spec_hash(of, rows.facts), result)
        for name, result in zip(order, results, strict=True)
    ]
    measured = [
        one if one.result.best is None else replace(one, noise=value_noise(one.experiment, rows, one.result.best))
        for one in competitors
    ]
    ordered = ranked(measured)
    board = leaderboard(ordered)
    notify("; ".join(f"{row.algorithm}: {row.verdict}" for row in board))
    studies = [tuning.Tuned(identity=one.study_key, result=one.result, algorithm=one.algorithm) for one in ordered]
    return studies[0].model_copy(
        update={"leaderboard": board, "others": tuple(studies[1:]), "budget": experiment.hpo.trials}
    )


def _line(of: Experiment, found: StudyResult, trials: int) -> str:
    best, scored = best_of_first(found, trials), metric(of.metric, of.problem_type)
    value = "no trial to train" if found.best is None else f"best {scored.name} {figure(scored.oriented(best))}"
    return f"{of.algorithm} has {trials} of the trials: {value}"
