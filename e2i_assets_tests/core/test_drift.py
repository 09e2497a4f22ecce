"""Drift is found in rows generated with drift, and not in rows generated without it."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency, ks_2samp

from e2i_assets.core.automation.drift import (
    Decay,
    conclusion,
    decay,
    feature_drift,
    retune_is_due,
    stability_index,
)
from e2i_assets.core.evaluation.intervals import Interval
from e2i_assets.core.evaluation.measures import Measure

NOW = datetime(2026, 1, 8, tzinfo=UTC)


def numbers(rows: int, seed: int, columns: int = 30) -> pd.DataFrame:
    draws = np.random.default_rng(seed).normal(size=(rows, columns))
    return pd.DataFrame(draws, columns=[f"x{n}" for n in range(columns)])


def test_thirty_features_without_drift_give_no_false_alarm() -> None:
    """Without a correction, thirty tests at 1 % give a false alarm in one case of four."""
    for seed in range(20):
        found = feature_drift(numbers(800, seed), numbers(300, seed + 100), 0.2)
        assert [one.feature for one in found if one.drifted] == []


def test_the_drifted_feature_is_named_first() -> None:
    train, recent = numbers(800, 1), numbers(300, 2)
    recent["x7"] += 1.0
    found = feature_drift(train, recent, 0.2)
    assert [one.feature for one in found if one.drifted] == ["x7"]
    assert found[0].feature == "x7"
    assert found[0].p_value == pytest.approx(ks_2samp(train["x7"], recent["x7"]).pvalue)
    assert found[0].p_adjusted >= found[0].p_value


def test_drift_needs_a_difference_that_is_both_large_and_significant() -> None:
    train, recent = numbers(40_000, 1, 2), numbers(40_000, 2, 2)
    recent["x0"] += 0.08
    sure = feature_drift(train, recent, 0.2)[0]
    assert sure.p_adjusted < 1e-6
    assert not sure.drifted
    few = feature_drift(numbers(800, 1, 5), numbers(12, 3, 5), 0.2)
    assert few[0].psi > 0.2
    assert [one.feature for one in few if one.drifted] == []


def test_a_category_with_thousands_of_values_drifts_only_when_its_rows_change() -> None:
    random = np.random.default_rng(5)

    def codes(rows: int, first: int) -> pd.DataFrame:
        places = random.zipf(1.2, rows) % 5_000 + first
        return pd.DataFrame({"code": pd.Series([f"c{place}" for place in places], dtype="category")})

    train = codes(20_000, 0)
    (same,) = feature_drift(train, codes(1_000, 0), 0.2)
    (new,) = feature_drift(train, codes(1_000, 6_000), 0.2)
    assert (same.drifted, new.drifted) == (False, True)
    assert same.psi < 0.2
    assert new.psi > 1


def test_changed_category_shares_and_a_new_category_are_drift() -> None:
    train = pd.DataFrame({"site": pd.Series(["a"] * 500 + ["b"] * 500, dtype="category")})
    same = pd.DataFrame({"site": pd.Series(["a"] * 103 + ["b"] * 97, dtype="category")})
    other = pd.DataFrame({"site": pd.Series(["a"] * 100 + ["c"] * 100, dtype="category")})
    assert not feature_drift(train, same, 0.2)[0].drifted
    found = feature_drift(train, other, 0.2)[0]
    assert found.drifted
    assert found.p_value == pytest.approx(chi2_contingency([[500, 500, 0], [100, 0, 100]]).pvalue)


def test_a_rise_of_missing_values_is_drift() -> None:
    train, recent = numbers(800, 1, 1), numbers(300, 2, 1)
    recent.loc[:150, "x0"] = np.nan
    assert feature_drift(train, recent, 0.2)[0].drifted
    train.loc[:400, "x0"] = np.nan
    assert not feature_drift(train, recent, 0.2)[0].drifted


def test_population_stability_index_is_the_sum_over_deciles() -> None:
    train = pd.Series(np.arange(1000.0))
    # Half of the rows are in the first decile, the others uniform over all: shares 0.55 and nine times 0.05.
    recent = pd.Series([*np.linspace(0, 90, 500), *np.linspace(0, 999, 500)])
    p, q = np.full(10, 0.1), np.array([0.55, *[0.05] * 9])
    assert stability_index(train, recent) == pytest.approx(np.sum((q - p) * np.log(q / p)), rel=0.02)
    assert stability_index(train, train) == 0.0


def test_a_column_without_any_value_is_no_error() -> None:
    empty = pd.DataFrame({"x": [np.nan] * 100})
    assert feature_drift(empty, empty, 0.2)[0].drifted is False
    assert feature_drift(pd.DataFrame(index=range(3)), pd.DataFrame(index=range(3)), 0.2) == []


@pytest.mark.parametrize(
    ("greater", "then", "low", "high", "worse"),
    [
        (True, 0.8, 0.6, 0.7, True),
        (True, 0.8, 0.7, 0.85, False),
        (True, 0.8, 0.85, 0.9, False),
        (False, 4.0, 4.5, 6.0, True),
        (False, 4.0, 3.0, 6.0, False),
    ],
)
def test_a_metric_has_decayed_when_chance_does_not_explain_it(
    greater: bool, then: float, low: float, high: float, worse: bool
) -> None:
    interval = Interval(low=low, high=high, n_resamples=1000)
    found = decay(Measure("m", greater), then, interval, (low + high) / 2)
    assert found is not None
    assert found.worse is worse


@pytest.mark.parametrize("missing", [(None, 0.7), (0.8, None)])
def test_without_labels_there_is_no_decay(missing: tuple[float | None, float | None]) -> None:
    assert decay(Measure("m"), missing[0], None, missing[1]) is None


@pytest.mark.parametrize(
    ("rows", "decayed", "drifted", "message"),
    [
        (49, None, False, "49 newer rows are too few"),
        (500, None, False, "do not differ from the train rows in any of 0 features"),
        (500, Decay("r2", 0.5, 0.1, True), True, "r2 was 0.5 on test, and is 0.1 on 60 newer rows"),
        (500, Decay("r2", 0.5, 0.4, False), False, "and r2 is 0.4 on 60 of them"),
    ],
)
def test_the_summary_of_newer_rows(rows: int, decayed: Decay | None, drifted: bool, message: str) -> None:
    found, why = conclusion(rows, [], decayed, 60)
    assert found is drifted
    assert message in why


@pytest.mark.parametrize(
    ("drifted", "days_ago", "due"),
    [(False, None, False), (True, None, True), (True, 6.9, False), (True, 7.0, True), (False, 30.0, False)],
)
def test_a_retune_is_due_after_drift_and_the_cooldown(drifted: bool, days_ago: float | None, due: bool) -> None:
    last = None if days_ago is None else NOW - timedelta(days=days_ago)
    assert retune_is_due(drifted, last, NOW, 7.0) is due
