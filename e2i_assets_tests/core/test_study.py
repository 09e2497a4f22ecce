"""The study: an exact budget, failed trials with reasons, and reproducible values."""

import itertools
import math

import numpy as np
import optuna
import pytest
from fitted_again import value_again
from sklearn.datasets import load_breast_cancer

from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.prepared_data import Task
from e2i_assets.core.errors import E2iError, NoWorkers
from e2i_assets.core.fitting.fit_context import Rows, fit_context
from e2i_assets.core.metrics import Metric, metric
from e2i_assets.core.search.goals import metric_goal
from e2i_assets.core.search.objective import FAILURE, Objective, TrialOutOfTime, failure
from e2i_assets.core.search.proposals import Proposal, in_order
from e2i_assets.core.search.recovery import queue_unfinished, recovered
from e2i_assets.core.search.rounds import StallDetector
from e2i_assets.core.search.samplers import PRUNERS, SAMPLERS, pruner, sampler
from e2i_assets.core.search.schemes import OnValidation
from e2i_assets.core.search.study import search
from e2i_assets.core.search.study_plan import StudyPlan
from e2i_assets.core.search.trials import record_of
from e2i_assets.core.search_space.space import parse_space

KIND = "binary_classification"
SMALL = parse_space(
    {
        "n_estimators": {"type": "int", "low": 10, "high": 60, "step": 10},
        "max_depth": {"type": "int", "low": 2, "high": 6},
        "learning_rate": {"type": "float", "low": 0.01, "high": 0.3, "log": True},
    }
)


def objective(name="XGBoost", space=SMALL, score=None, patience=10, fixed=None, clock=None):
    data = load_breast_cancer(as_frame=True)
    order = np.random.default_rng(0).permutation(len(data.data))
    train, validation = (Rows(data.data.iloc[part], data.target.iloc[part]) for part in (order[:400], order[400:]))
    algorithm = registry.algorithm(name)
    rows = fit_context(algorithm, Task(KIND, 2), train, validation, (0, 1))
    score = score or metric("roc_auc", KIND)
    overriding = {**algorithm.fixed_values, **(fixed or {})}
    settings = {} if clock is None else {"clock": clock}
    return lambda deadline: Objective(
        scheme=OnValidation(rows),
        goals=(metric_goal(score),),
        space=space,
        defaults=algorithm.default_values,
        fixed=overriding,
        patience=patience,
        deadline=deadline,
        **settings,
    )


def plan(trials=8, **changes):
    settings = {"timeout_seconds": None, "sampler": "tpe", "pruner": "median", "seed": 42, **changes}
    return StudyPlan(name="study", trials=trials, **settings)


def memory():
    return optuna.storages.InMemoryStorage()


def broken_after(good):
    """Return a metric that raises from its n-th call on."""
    calls = itertools.count()

    def function(y_true, scores):
        if next(calls) >= good:
            raise ValueError("the labels went missing")
        return 0.5

    return Metric("broken", True, "scores", function)


def test_the_best_value_is_recomputed_from_its_parameters():
    """The stored value is the metric of a model fitted with the stored parameters."""
    made = objective()
    result = search(made, plan(), memory())
    assert result.best is not None
    assert value_again(made(math.inf), result.best.params) == pytest.approx(result.best.value, abs=1e-9)


def test_a_pruned_trial_has_fewer_steps_and_keeps_them():
    """Trials are pruned, and a pruned trial costs less than a completed one with as many rounds."""
    space = parse_space({"learning_rate": {"low": 1e-4, "high": 0.3, "log": True}})
    made = objective(space=space, patience=None, fixed={"n_estimators": 300})
    result = search(made, plan(25), memory())
    pruned = [trial for trial in result.trials if trial.state == "PRUNED"]
    completed = [trial for trial in result.trials if trial.state == "COMPLETE"]
    assert pruned
    assert all(trial.intermediate_values for trial in pruned)
    assert max(len(trial.intermediate_values) for trial in pruned) <= len(completed[0].intermediate_values)
    assert min(len(trial.intermediate_values) for trial in pruned) < len(completed[0].intermediate_values)


def test_a_failed_trial_is_failed_with_its_reason_and_never_best():
    """A failure has no value, and one failed trial does not end the study."""
    calls = itertools.count()

    def sometimes(y_true, scores):
        if next(calls) == 3:
            raise ValueError("the labels went missing")
        return float(scores[:, 1].mean())

    made = objective(space=parse_space({"max_depth": {"type": "int", "low": 2, "high": 9}}), patience=None)
    quiet = Metric("sometimes", True, "scores", sometimes)
    made = objective("LogisticRegression", registry.algorithm("LogisticRegression").search_space(KIND), quiet)
    result = search(made, plan(6), memory())
    failed = [trial for trial in result.trials if trial.state == "FAIL"]
    assert [(trial.error_type, trial.error_message, trial.value) for trial in failed] == [
        ("ValueError", "the labels went missing", None)
    ]
    assert result.status == "completed"
    assert (result.count("COMPLETE"), result.count("FAIL")) == (5, 1)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_non_finite_value_fails_the_trial(value):
    """Neither NaN nor infinity can be the best value."""
    calls = itertools.count()

    def odd(y_true, scores):
        return 0.5 if next(calls) < 4 else value

    made = objective(
        "LogisticRegression",
        registry.algorithm("LogisticRegression").search_space(KIND),
        Metric("odd", True, "scores", odd),
    )
    result = search(made, plan(5), memory())
    assert {trial.error_type for trial in result.trials if trial.state == "FAIL"} == {"TrialNotFinite"}
    assert result.best is not None
    assert result.best.value == 0.5


def test_ten_failures_in_a_row_end_the_study_with_the_reason():
    space = registry.algorithm("LogisticRegression").search_space(KIND)
    result = search(objective("LogisticRegression", space, broken_after(1)), plan(40), memory())
    assert (result.best, result.status, result.stop_reason) == (None, "failed", "too many failures in a row")
    assert result.failure == (
        "too many failures in a row: 10 of 10 trials failed, the last with ValueError: the labels went missing"
    )
    assert len(result.trials) == 10


def test_a_study_aborted_by_failures_after_completed_trials_is_partial_and_keeps_the_best():
    space = registry.algorithm("LogisticRegression").search_space(KIND)
    result = search(objective("LogisticRegression", space, broken_after(4)), plan(40), memory())
    assert (result.status, result.stop_reason) == ("partial", "too many failures in a row")
    assert result.best is not None
    assert "10 of 13 trials failed, the last with ValueError" in str(result.failure)


def test_a_study_without_time_for_a_trial_is_partial():
    result = search(objective(), plan(5, timeout_seconds=0.0), memory())
    assert (result.trials, result.best, result.status, result.stop_reason) == ((), None, "partial", "time is up")
    assert result.failure is None


def test_a_study_without_a_completed_trial_is_a_valid_result():
    """Nine failures give a valid study without a best trial."""
    space = registry.algorithm("LogisticRegression").search_space(KIND)
    result = search(objective("LogisticRegression", space, broken_after(1)), plan(9), memory())
    assert (result.best, result.status, result.stop_reason) == (None, "failed", "no trial completed")
    assert result.count("FAIL") == 9


def test_the_budget_is_exact_across_resumptions():
    """A second run adds nothing, a larger budget adds the difference, and no point is sampled twice."""
    storage = memory()
    first = search(objective(), plan(5), storage)
    again = search(objective(), plan(5), storage)
    more = search(objective(), plan(8), storage)
    assert [len(result.trials) for result in (first, again, more)] == [5, 5, 8]
    assert again.resumed_from == 5
    assert first.trials == again.trials == more.trials[:5]
    points = [tuple(sorted(trial.sampled.items())) for trial in more.trials]
    assert len(set(points)) == len(points)


def test_an_interrupted_trial_is_retried_outside_the_budget():
    storage = memory()
    study = optuna.create_study(storage=storage, study_name="study", direction="maximize")
    dead = study.ask()
    dead.suggest_int("n_estimators", 10, 60, step=10)
    dead.suggest_int("max_depth", 2, 6)
    dead.suggest_float("learning_rate", 0.01, 0.3, log=True)
    result = search(objective(), plan(4), storage)
    assert result.trials[0].was_interrupted
    retried = next(trial for trial in result.trials if trial.origin == "retry")
    assert retried.sampled == result.trials[0].sampled
    assert result.count("COMPLETE") + result.count("PRUNED") == 4
    assert len(result.trials) == 5


def test_a_configuration_whose_process_dies_a_second_time_has_failed():
    """Otherwise every process that resumes the study would retry a configuration that kills its process."""
    study = optuna.create_study(direction="maximize")
    drawn = [study.ask().suggest_float("x", 0, 1)]
    for number in (0, 1):
        recovered(study, [number])
        drawn.append(study.ask().suggest_float("x", 0, 1))
    assert drawn[0] == drawn[1] != drawn[2]
    records = [record_of(trial) for trial in study.trials]
    assert [(one.state, one.error_type, one.counts) for one in records] == [
        ("FAIL", "Interrupted", False),
        ("FAIL", "InterruptedAgain", True),
        ("RUNNING", None, False),
    ]
    assert "not tried a third time" in str(records[1].error_message)
    recovered(study, [])
    assert len(study.trials) == 3


def test_a_coordinator_with_a_stalled_worker_pool_gives_up():
    class WorkerPool:
        size, is_at_work = 2, False

        def dispatch(self):
            pass

    study, now = optuna.create_study(), itertools.count(step=100)
    stall_detector = StallDetector(WorkerPool(), "study", clock=lambda: float(next(now)))
    stall_detector.require(study)
    trial = study.ask()
    for _ in range(3):
        stall_detector.require(study)  # a worker runs a trial
    study.tell(trial, 1.0)
    stall_detector.require(study)
    with pytest.raises(NoWorkers, match="no worker has run a trial of study for 180 seconds"):
        stall_detector.require(study)


def test_a_timed_out_trial_whose_process_dies_is_retried_once_more():
    study = optuna.create_study(direction="maximize")
    for ends in ("late", "dead", "late", "dead"):
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        if ends == "late":
            trial.set_user_attr(FAILURE, failure(TrialOutOfTime("the study's time was up")))
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            queue_unfinished(study)
        else:
            recovered(study, [trial.number])
    assert [(trial.state.name, record_of(trial).error_type) for trial in study.trials] == [
        ("PRUNED", "TrialOutOfTime"),
        ("FAIL", "Interrupted"),
        ("PRUNED", "TrialOutOfTime"),
        ("FAIL", "InterruptedAgain"),
    ]
    assert len({trial.params["x"] for trial in study.trials}) == 1


def test_configurations_that_kill_their_process_abort_the_study():
    """Each restarted process dies in its next trial: the number of processes is twice the number of failures."""
    storage, space = memory(), parse_space({"max_depth": {"type": "int", "low": 2, "high": 9}})
    study = optuna.create_study(storage=storage, study_name="study", direction="maximize")
    for _ in range(6):
        recovered(study, [trial.number for trial in study.trials if trial.state.name == "RUNNING"])
        study.ask().suggest_int("max_depth", 2, 9)
    result = search(objective(space=space), plan(8, max_failures=3), storage)
    assert result.stop_reason == "too many failures in a row"
    assert "3 of 3 trials failed, the last with InterruptedAgain" in str(result.failure)


def test_a_running_trial_ends_at_its_next_report_once_time_is_up():
    """Fractions of a second count, and the limit is checked inside a trial."""
    ticks = itertools.count()

    def clock():
        return math.inf if next(ticks) > 12 else -math.inf

    result = search(objective(clock=clock, patience=None), plan(4, timeout_seconds=60.0), memory())
    late = [trial for trial in result.trials if trial.error_type == "TrialOutOfTime"]
    assert late
    assert all(trial.state == "PRUNED" for trial in late)


def test_a_fraction_of_a_second_is_a_limit_and_is_in_the_result():
    """1.5 s is not 1 s, not 0 and not an hour."""
    result = search(objective(patience=None), plan(500, timeout_seconds=1.5), memory())
    assert result.stop_reason == "time is up"
    assert result.status == "partial"
    assert result.duration_seconds < 20
    assert len(result.trials) < 500


def test_proposals_are_tried_first_in_order():
    values = [
        {"n_estimators": 20, "max_depth": 3, "learning_rate": 0.1},
        {"n_estimators": 30, "max_depth": 4, "learning_rate": 0.2},
    ]
    proposals = [
        Proposal(values[0], "warm_start", {"pattern_id": "p", "similarity": 0.9}),
        Proposal(values[1], "default", {}),
    ]
    storage = memory()
    result = search(objective(), plan(4), storage, in_order(proposals))
    assert [trial.origin for trial in result.trials] == ["warm_start", "default", "sampler", "sampler"]
    assert [trial.sampled for trial in result.trials[:2]] == values
    assert len(search(objective(), plan(4), storage, in_order(proposals)).trials) == 4


def test_trials_are_reported_as_they_finish():
    seen = []
    result = search(objective(), plan(5), memory(), on_trial=lambda trial, best: seen.append((trial.number, best)))
    assert [number for number, _ in seen] == [0, 1, 2, 3, 4]
    assert result.best is not None
    assert seen[-1][1] == result.best.value


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "gp"])
def test_every_named_sampler_runs(name):
    """Every documented option works."""
    result = search(objective(), plan(12, sampler=name), memory())
    assert len(result.trials) == 12
    assert result.count("FAIL") == 0


@pytest.mark.parametrize("name", [name for name in PRUNERS if name != "wilcoxon"])
def test_every_named_pruner_runs(name):
    """Every documented option works."""
    result = search(objective(patience=None), plan(10, pruner=name), memory())
    assert len(result.trials) == 10
    assert result.count("FAIL") == 0


@pytest.mark.parametrize(
    ("make", "known"),
    [
        (lambda: sampler("tpee", 1, SMALL), "tpe"),
        (lambda: pruner("mean", 9), "median"),
        (lambda: pruner("wilcoxon", 9), "needs hpo.objective: cross_validation"),
    ],
)
def test_an_unknown_name_is_an_error(make, known):
    with pytest.raises(E2iError, match=known):
        make()


def test_a_grid_search_ends_when_the_grid_is_exhausted():
    space = parse_space({"max_depth": {"type": "int", "low": 2, "high": 4}})
    result = search(objective(space=space), plan(50, sampler="grid"), memory())
    assert (len(result.trials), result.stop_reason, result.status) == (3, "grid exhausted", "completed")


def test_several_workers_meet_the_budget_exactly():
    result = search(objective(), plan(9, workers=2), memory())
    assert len(result.trials) == 9


def test_a_late_improvement_in_another_thread_continues_the_study():
    """The stop condition is evaluated again, because several trials were running when it was met."""
    result = search(objective(), plan(16, workers=3, sampler="random", stop_without_improvement=3), memory())
    after = [trial for trial in result.trials if result.best is not None and trial.number > result.best.number]
    assert result.stop_reason in ("no improvement", "budget spent")
    assert result.stop_reason != "no improvement" or len(after) >= 3


def test_an_exhausted_grid_repeats_no_point():
    space = parse_space({"max_depth": {"type": "int", "low": 2, "high": 4}})
    storage = memory()
    for _ in range(3):
        result = search(objective(space=space), plan(50, sampler="grid"), storage)
        assert (len(result.trials), result.stop_reason) == (3, "grid exhausted")


def test_a_grid_accepts_queued_trials_with_missing_parameters():
    """The algorithm's defaults may lack a parameter or be off the grid."""
    depths, weights = {"type": "int", "low": 2, "high": 4}, {"type": "int", "low": 1, "high": 2}
    space = parse_space({"max_depth": depths, "min_child_weight": weights})
    result = search(
        objective(space=space), plan(4, sampler="grid"), memory(), in_order([Proposal({"max_depth": 3}, "default", {})])
    )
    assert [trial.state for trial in result.trials] == ["COMPLETE"] * 4
    assert result.trials[0].sampled["max_depth"] == 3


@pytest.mark.parametrize("finished", [1, 2])
def test_a_grid_killed_near_its_end_is_completed(finished):
    space = parse_space({"max_depth": {"type": "int", "low": 2, "high": 4}})
    storage = memory()
    search(objective(space=space), plan(finished, sampler="grid"), storage)
    dying = optuna.load_study(study_name="study", storage=storage, sampler=sampler("grid", 42, space))
    dying.ask().suggest_int("max_depth", 2, 4)
    result = search(objective(space=space), plan(50, sampler="grid"), storage)
    assert {trial.sampled["max_depth"] for trial in result.trials if trial.counts} == {2, 3, 4}
    assert result.stop_reason == "grid exhausted"


def test_a_trial_interrupted_by_the_user_is_retried():
    calls = itertools.count()

    def function(y_true, scores):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return 0.5

    space = registry.algorithm("LogisticRegression").search_space(KIND)
    made = objective("LogisticRegression", space, Metric("fragile", True, "scores", function))
    storage = memory()
    with pytest.raises(KeyboardInterrupt):
        search(made, plan(5), storage)
    result = search(made, plan(5), storage)
    (interrupted,) = [trial for trial in result.trials if trial.was_interrupted]
    assert [trial.sampled for trial in result.trials if trial.origin == "retry"] == [interrupted.sampled]
    assert sum(trial.counts for trial in result.trials) == 5


def test_a_count_of_consecutive_failures_survives_the_process():
    space = registry.algorithm("LogisticRegression").search_space(KIND)
    storage = memory()
    failing = objective("LogisticRegression", space, broken_after(0))
    search(failing, plan(7), storage)
    assert search(failing, plan(40), storage).stop_reason == "too many failures in a row"
    assert len(optuna.load_study(study_name="study", storage=storage).trials) == 10


def test_defaults_that_cannot_be_evaluated_do_not_end_the_study():
    calls = itertools.count()

    def function(y_true, scores):
        if next(calls) == 0:
            raise ValueError("not with these")
        return 0.5

    space = registry.algorithm("LogisticRegression").search_space(KIND)
    made = objective("LogisticRegression", space, Metric("picky", True, "scores", function))
    result = search(made, plan(3), memory())
    assert (result.default_value, result.status, len(result.trials)) == (None, "completed", 3)
