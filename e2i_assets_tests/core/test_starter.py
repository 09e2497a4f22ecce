"""The studies of the starter memory: one pattern for each metric, with values to maximise."""

import math

from e2i_assets.core.memory.starter import StarterStudy, patterns

SPACE = {"alpha": {"type": "float", "low": 0.001, "high": 100, "log": True}}


def study(**changes):
    facts = {
        "table": "wage",
        "source": "a package",
        "algorithm": "Ridge",
        "problem_type": "regression",
        "search_space": SPACE,
        "n_classes": None,
        "meta_features": {"n_samples": 100.0, "n_features": 3.0},
        "metrics": ("rmse", "r2", "an_older_one"),
        "trials": (
            {"values": {"alpha": 1.0}, "measures": (2.0, 0.1, 1.0)},
            {"values": {"alpha": 10.0}, "measures": (1.0, 0.5, 1.0)},
            {"values": {"alpha": 10.1}, "measures": (1.01, 0.49, 1.0)},
            {"values": {"alpha": 0.01}, "measures": (3.0, None, 1.0)},
        ),
        "seconds": 1.0,
    }
    return StarterStudy.model_validate(facts | changes)


def test_a_study_gives_one_pattern_for_each_supported_metric():
    assert [one.metric for one in patterns(study())] == ["rmse", "r2"]


def test_values_are_higher_the_better_and_the_defaults_come_first():
    rmse, r2 = patterns(study())
    assert [trial["value"] for trial in rmse.trials] == [-2.0, -1.0, -1.01, -3.0]
    assert (rmse.default_value, r2.default_value) == (-2.0, 0.1)
    assert [one["values"]["alpha"] for one in rmse.top] == [10.0, 1.0, 0.01]


def test_a_non_finite_value_is_not_a_trial_of_that_metric():
    _, r2 = patterns(study())
    assert len(r2.trials) == 3
    assert all(math.isfinite(trial["value"]) for trial in r2.trials)


def test_a_metric_without_finite_values_gives_no_pattern():
    trials = ({"values": {"alpha": 1.0}, "measures": (None, 0.1, 1.0)},)
    assert [one.metric for one in patterns(study(trials=trials))] == ["r2"]
