"""Several algorithms in one budget: which files are valid, whose studies they share, who gets trials, and who wins."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from e2i_assets.core.data.split_tables import SearchRows, SplitFacts
from e2i_assets.core.errors import E2iError, ExperimentInvalid
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from, parse_experiment
from e2i_assets.core.fitting.fit_context import Rows
from e2i_assets.core.search.algorithm_comparison import compared
from e2i_assets.core.search.allotment import first_trials, searched
from e2i_assets.core.search.budget import BudgetOverride
from e2i_assets.core.search.leaderboard import Competitor, leaderboard, ranked
from e2i_assets.core.search.study_result import StopReason, StudyResult
from e2i_assets.core.search.trial_selection import Objectives
from e2i_assets.core.search.trials import TrialRecord
from e2i_assets.core.search.value_noise import ValueNoise

FILE = {
    "name": "visits",
    "owner": "team:forecasting",
    "source": {"csv": "data/visits.csv"},
    "target": "count",
    "problem_type": "regression",
}


def read(**changes: Any) -> Experiment:
    return parse_experiment(yaml.safe_dump({**FILE, **changes}), "visits.yaml")


def test_each_algorithm_has_the_experiment_of_a_file_that_names_it_alone() -> None:
    together = read(algorithm=["XGBoost", "LightGBM", "Ridge"])
    assert together.contenders == ("Ridge", "LightGBM", "XGBoost")
    for name in together.contenders:
        alone = read(algorithm=name)
        assert together.of(name) == alone
        assert (together.of(name).spec_hash, together.of(name).run_hash) == (alone.spec_hash, alone.run_hash)
        assert alone.model_dump(mode="json")["algorithm"] == name
    assert read(algorithm=["Ridge"]).spec_hash == read(algorithm="Ridge").spec_hash
    assert experiment_from(together.model_dump(mode="json"), "again") == together


def test_auto_means_a_linear_model_and_two_boosters_the_simplest_first() -> None:
    assert read(algorithm="auto").contenders == ("Ridge", "LightGBM", "XGBoost")
    for kind in ("binary_classification", "multiclass_classification"):
        assert read(algorithm="auto", problem_type=kind).contenders == ("LogisticRegression", "LightGBM", "XGBoost")


def test_no_code_mistakes_several_algorithms_for_one() -> None:
    with pytest.raises(E2iError, match="compares Ridge, LightGBM: its search chooses the algorithm"):
        _ = read(algorithm=["LightGBM", "Ridge"]).algorithm
    with pytest.raises(E2iError, match="does not name Lasso"):
        read(algorithm=["LightGBM", "Ridge"]).of("Lasso")


@pytest.mark.parametrize(
    ("changes", "where", "rule"),
    [
        ({"algorithm": []}, "algorithm", "must be the name of an algorithm, a list of names, or auto"),
        ({"algorithm": ["Ridge", "Ridge"]}, "algorithm", "contains 'Ridge' twice"),
        ({"algorithm": ["Ridge", "auto"]}, "algorithm", "contains auto, which stands for several"),
        ({"algorithm": ["Ridge", "LightGB"]}, "algorithm.1", "did you mean 'LightGBM'?"),
        ({"algorithm": ["Ridge", "LogisticRegression"]}, "algorithm.1", "does not support regression"),
        ({"fixed": {"num_leaves": 3}}, "fixed.num_leaves", "setting must hold for each: here for Ridge"),
        ({"search_space": {"max_depth": None}}, "search_space.max_depth", "setting must hold for each: here for Ridge"),
        ({"hpo": {"preset": "wide"}}, "hpo.preset", "is not a search space of Ridge"),
        ({"hpo": {"enabled": False}}, "hpo.enabled", "leaves nothing to compare"),
        ({"hpo": {"objectives": ["model_size"]}}, "hpo.objectives", "belong to the study of one algorithm"),
        ({"hpo": {"trials": 1}}, "hpo.trials", "must be at least 2: one for each algorithm (Ridge, LightGBM)"),
        ({"algorithm": "auto", "hpo": {"trials": 2}}, "hpo.trials", "must be at least 3: one for each"),
        ({"algorithm": ["Ridge", "Lasso"], "fixed": {"alpha": 1.0}}, "algorithm.0", "no parameter left to search"),
    ],
)
def test_a_setting_that_does_not_hold_for_each_algorithm_is_refused(
    changes: Mapping[str, Any], where: str, rule: str
) -> None:
    with pytest.raises(ExperimentInvalid) as error:
        read(**{"algorithm": ["Ridge", "LightGBM"], **changes})
    first = error.value.violations[0]
    assert (first.where, rule in first.rule) == (where, True), first


def test_a_launch_cannot_set_a_budget_of_fewer_trials_than_algorithms() -> None:
    with pytest.raises(E2iError, match="a budget of 1 trials is too small for one trial of each"):
        BudgetOverride(trials=1).applied_to(read(algorithm=["Ridge", "LightGBM"]))


def result(values: Sequence[float | None], budget: int, reason: StopReason = "budget spent") -> StudyResult:
    """A study with these values; None is a failed trial."""
    now = datetime.now(UTC)
    trials = [
        TrialRecord(
            number=number,
            state="FAIL" if value is None else "COMPLETE",
            origin="sampler",
            sampled={},
            params={},
            value=value,
            error_type="ValueError" if value is None else None,
            started_at=now,
            completed_at=now,
        )
        for number, value in enumerate(values)
    ]
    return StudyResult(
        study_name="study",
        n_trials=budget,
        objectives=Objectives(greater_is_better={"rmse": False}),
        trials=tuple(trials),
        default_value=None,
        stop_reason=reason,
        resumed_from=0,
        started_at=now,
        completed_at=now,
        duration_seconds=1.0,
    )


class Killed(Exception):
    """The process of a search dies."""


class Studies:
    """Stored studies whose trials have known values; the process dies in a call if it is told to."""

    def __init__(
        self, *curves: Sequence[float | None], done: Sequence[int] = (), ends_at: Mapping[int, int] | None = None
    ):
        self.curves, self.ends_at = curves, ends_at or {}
        self.done = list(done) or [0] * len(curves)
        self.calls: list[tuple[int, int]] = []
        self.shares: list[float] = []

    def __call__(self, place: int, trials: int, share: float, dies_at: int | None = None) -> StudyResult:
        self.calls.append((place, trials))
        self.shares.append(share)
        end = min(trials, self.ends_at.get(place, trials))
        if dies_at == len(self.calls):
            self.done[place] = max(self.done[place], (self.done[place] + end) // 2)
            raise Killed
        self.done[place] = max(self.done[place], end)
        curve = (list(self.curves[place]) * 100)[: self.done[place]]
        return result(curve, trials, "no improvement" if end < trials else "budget spent")


def test_half_of_the_budget_is_shared_and_the_rest_goes_to_the_better_half_and_then_to_the_best() -> None:
    studies = Studies([0.5], [0.9], [0.7])
    results = searched(3, 25, studies)
    assert first_trials(25, 3) == 4
    assert studies.calls == [(0, 4), (1, 4), (2, 4), (1, 7), (2, 7), (1, 14)]
    assert [len(one.trials) for one in results] == [4, 14, 7]
    assert studies.shares[0] == pytest.approx(4 / 25)
    assert studies.shares[-1] == 1.0
    assert results[1].duration_seconds == 3.0


@pytest.mark.parametrize(
    ("budget", "algorithms"), [(2, 2), (3, 2), (3, 3), (7, 3), (7, 6), (7, 7), (20, 3), (20, 7), (100, 2), (100, 6)]
)
def test_the_budget_is_spent_and_never_exceeded(budget: int, algorithms: int) -> None:
    studies = Studies(*([float(place)] for place in range(algorithms)))
    results = searched(algorithms, budget, studies)
    assert sum(len(one.trials) for one in results) == budget
    assert min(len(one.trials) for one in results) >= 1
    assert max(range(algorithms), key=lambda place: len(results[place].trials)) == algorithms - 1 or budget < 20


def test_fewer_trials_than_algorithms_are_an_error() -> None:
    with pytest.raises(E2iError, match="2 trials are too few to compare 3 algorithms"):
        searched(3, 2, Studies([0.5], [0.9], [0.7]))


@pytest.mark.parametrize("dies_at", range(1, 8))
def test_a_killed_search_resumes_to_the_same_allotment(dies_at: int) -> None:
    """The values change their order later: a decision by later trials would be another one."""
    curves = ([0.5] * 4 + [0.99] * 50, [0.9], [0.7], [0.6] * 3 + [None, 2.0])
    whole = Studies(*curves)
    searched(4, 40, whole)
    broken = Studies(*curves)
    with pytest.raises(Killed):
        searched(4, 40, lambda *args: broken(*args, dies_at=dies_at))
    broken.calls.clear()
    searched(4, 40, broken)
    assert (broken.calls, broken.done) == (whole.calls, whole.done)


def test_trials_of_an_earlier_longer_study_do_not_decide_who_gets_trials() -> None:
    late = [0.1] * 5 + [5.0] * 95
    studies = Studies(late, [0.5], done=[100, 0])
    results = searched(2, 20, studies)
    assert studies.calls == [(0, 5), (1, 5), (1, 15)]
    assert len(results[0].trials) == 100


def test_trials_that_a_study_leaves_go_to_the_next_one() -> None:
    studies = Studies([0.9], [0.5], [0.1], ends_at={0: 3})
    results = searched(3, 30, studies)
    assert [len(one.trials) for one in results] == [3, 18, 9]
    assert all(place for place, _ in studies.calls[3:])


def test_the_time_limit_is_shared_in_proportion_to_the_trials() -> None:
    """Each call has the share of its trials of the time that is left; the last one has all of it."""
    of = read(algorithm=["Ridge", "LightGBM"], hpo={"trials": 8, "timeout_hours": 1.0})
    now, limits = [0.0], []

    def search(one: Experiment) -> StudyResult:
        limits.append((one.algorithm, one.hpo.trials, one.hpo.timeout_hours))
        now[0] += 900.0
        failed: list[float | None] = [None]
        return result(failed * one.hpo.trials, one.hpo.trials, "time is up")

    compared(of, of.contenders, search_rows(), search, clock=lambda: now[0])
    assert limits == [
        ("Ridge", 2, pytest.approx(1.0 * 2 / 8)),
        ("LightGBM", 2, pytest.approx(0.75 * 2 / 6)),
        ("Ridge", 6, pytest.approx(0.5)),
    ]


def search_rows() -> SearchRows:
    """Rows of which only the facts are used."""
    facts = SplitFacts(
        **{"experiment": "visits", "problem_type": "regression", "target": "count", "features": ("a",), "classes": ()},
        **{"data_hash": "d", "split_hash": "s", "search_hash": "h", "strategy": "random", "seed": 1},
        **{"counts": {}, "left_out": 0},
    )
    nothing = Rows(pd.DataFrame({"a": []}), pd.Series([], dtype=float))
    return SearchRows(facts, nothing, nothing)


def competitor(name: str, values: Sequence[float | None], parts: Sequence[float] = ()) -> Competitor:
    of = read(algorithm=["Ridge", "LightGBM", "XGBoost", "RandomForest"]).of(name)
    return Competitor(of, name.lower(), result(values, 5), ValueNoise(tuple(parts), len(parts)))


def test_the_simplest_of_those_within_a_standard_error_of_the_best_is_trained() -> None:
    """The parts of the values move together, so the noise of their difference is small: 0.2 against 1."""
    shared = np.random.default_rng(0).normal(0, 4, 16)
    own = np.tile([-0.8, 0.8], 8)
    best = competitor("RandomForest", [-2.0, -1.0], shared - 1.0)
    near = competitor("LightGBM", [-1.2], shared - 1.2 + own)
    far = competitor("Ridge", [-1.3], shared - 1.3 + own)
    ordered = ranked([far, near, best])
    assert [one.algorithm for one in ordered] == ["LightGBM", "RandomForest", "Ridge"]
    board = leaderboard(ordered)
    assert board[0].verdict == (
        "trained: behind RandomForest by 0.2 (standard error 0.2066), which is within the noise, and simpler"
    )
    assert board[1].verdict == "the best value, but within the noise of LightGBM, which is simpler"
    assert board[2].verdict == "behind RandomForest by 0.3 (standard error 0.2066)"
    assert [row.value for row in board] == [1.2, 1.0, 1.3]
    assert all(row.low is not None and row.high is not None and row.low <= row.value <= row.high for row in board)  # type: ignore[operator]


def test_of_two_boosters_within_the_noise_the_better_one_is_trained() -> None:
    own = np.tile([-0.8, 0.8], 8)
    names = ("LightGBM", "XGBoost")
    both = [competitor(name, [-1.0 - 0.1 * place], own * place - 1.0) for place, name in enumerate(names)]
    assert [one.algorithm for one in ranked(both)] == ["LightGBM", "XGBoost"]
    both = [competitor(name, [-1.1 + 0.1 * place], own * place - 1.0) for place, name in enumerate(names)]
    assert [one.algorithm for one in ranked(both)] == ["XGBoost", "LightGBM"]


def test_without_known_noise_only_equal_values_are_a_tie() -> None:
    assert ranked([competitor("RandomForest", [-1.0]), competitor("Ridge", [-1.0])])[0].algorithm == "Ridge"
    assert ranked([competitor("RandomForest", [-1.0]), competitor("Ridge", [-1.001])])[0].algorithm == "RandomForest"


def test_an_algorithm_without_a_value_is_last_and_says_why() -> None:
    ordered = ranked([competitor("Ridge", [None]), competitor("RandomForest", [-1.0])])
    board = leaderboard(ordered)
    assert [row.algorithm for row in board] == ["RandomForest", "Ridge"]
    assert (board[1].value, board[1].trials) == (None, 1)
    assert board[1].verdict.startswith(
        "no trial to train (budget spent: 1 of 1 trials failed, the last with ValueError"
    )
