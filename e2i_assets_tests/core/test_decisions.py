"""The value of the decisions of a binary model: gain chart, net benefit, and the expected cost of wrong decisions."""

import numpy as np
import pytest
import scipy.stats
from small_training import report_facts

from e2i_assets.core.errors import ExperimentInvalid
from e2i_assets.core.evaluation.decisions import (
    decision_value,
    error_shares,
    flagged_and_found,
    net_benefit,
    net_benefit_of_all,
)
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from, parse_experiment
from e2i_assets.core.figures import figure
from e2i_assets.core.metrics import Array
from e2i_assets.core.report.page import report_page

CHURN = """
name: churn
owner: team:tests
source: {csv: rows.csv}
target: left
problem_type: binary_classification
algorithm: LogisticRegression
"""
COSTS = "costs: {missed: 500, false_alarm: 20, unit: EUR}\n"


def drawn(n: int = 400, seed: int = 0, decimals: int = 2) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    y = (random.random(n) < 0.2).astype(int)
    return y, np.clip(random.normal(0.2 + 0.2 * y, 0.15), 0, 1).round(decimals)


def test_the_gain_chart_counts_the_positives_above_each_threshold_and_ties_together() -> None:
    flagged, found = flagged_and_found(np.array([1, 0, 1, 0, 1]), np.array([0.9, 0.5, 0.5, 0.1, 0.1]))
    assert flagged.tolist() == pytest.approx([0, 0.2, 0.6, 1])
    assert found.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])


def test_a_weight_counts_as_that_many_rows() -> None:
    y, score = drawn(60)
    weights = np.random.default_rng(1).integers(1, 4, 60)
    repeated = np.repeat(np.arange(60), weights)
    grid = np.linspace(0.05, 0.6, 9)
    for found, expected in (
        (flagged_and_found(y, score, weights), flagged_and_found(y[repeated], score[repeated])),
        (error_shares(y, score, grid, weights), error_shares(y[repeated], score[repeated], grid)),
    ):
        assert np.allclose(found, expected)
    one = decision_value(y, score, 0.3, (500, 20), weights=weights.astype(float))
    other = decision_value(y[repeated], score[repeated], 0.3, (500, 20))
    assert [cost.value for cost in one.costs] == pytest.approx([cost.value for cost in other.costs])


def test_net_benefit_is_that_of_vickers_and_elkin() -> None:
    y, score = drawn()
    for threshold in (0.1, 0.25, 0.4):
        flagged = score >= threshold
        tp, fp = np.sum(flagged & (y == 1)), np.sum(flagged & (y == 0))
        expected = tp / len(y) - fp / len(y) * threshold / (1 - threshold)
        assert net_benefit(y, score, np.array([threshold]))[0] == pytest.approx(expected)
    lowest = np.array([0.05, 0.2])
    assert net_benefit(y, np.ones(len(y)), lowest) == pytest.approx(net_benefit_of_all(y.mean(), lowest))


def test_expected_costs_are_those_of_the_wrong_decisions_for_1000_rows() -> None:
    y, score = drawn()
    value = decision_value(y, score, 0.3, (500, 20))
    by_name = {one.decision: one for one in value.costs}
    assert list(by_name) == ["model", "break_even", "flag_all", "flag_none"]
    assert by_name["break_even"].threshold == pytest.approx(20 / 520)

    def cost(flagged: Array) -> float:
        return float(1000 * np.mean(np.where(y == 1, 500 * ~flagged, 20 * flagged)))

    for name, flagged in (
        ("model", score >= 0.3),
        ("break_even", score >= 20 / 520),
        ("flag_all", np.ones(len(y), dtype=bool)),
        ("flag_none", np.zeros(len(y), dtype=bool)),
    ):
        one = by_name[name]
        assert one.value == pytest.approx(cost(flagged))
        assert one.low <= one.value <= one.high
        if name == "model":
            assert one.saved is None
        else:
            assert one.saved is not None
            assert one.saved.value == pytest.approx(one.value - by_name["model"].value)
            assert one.saved.low < one.saved.value < one.saved.high
    # The difference is paired: its interval is narrower than that of two independent costs.
    none, model = by_name["flag_none"], by_name["model"]
    assert none.saved is not None
    assert none.saved.high - none.saved.low < np.hypot(none.high - none.low, model.high - model.low)


def test_the_intervals_are_those_of_a_mean_and_cover_it_with_few_groups() -> None:
    """95 of 100 intervals contain the true cost; with 15 groups a bootstrap of the groups would cover about 90."""
    covered = 0
    for seed in range(400):
        random = np.random.default_rng(seed)
        groups = np.repeat(np.arange(15), 20)
        risk = random.beta(1, 4, 15)[groups]
        y = (random.random(300) < risk).astype(int)
        nothing = decision_value(y, np.zeros(300), 0.5, (1, 1), groups=groups).costs[-1]
        covered += nothing.low <= 1000 * 0.2 <= nothing.high
    assert 0.92 <= covered / 400 <= 0.98
    y, score = drawn()
    wrong = 1000 * np.where(y == 1, 5 * (score < 0.3), score >= 0.3)
    ends = scipy.stats.t.interval(0.95, len(y) - 1, wrong.mean(), scipy.stats.sem(wrong))
    model = decision_value(y, score, 0.3, (5, 1)).costs[0]
    assert (model.low, model.high) == pytest.approx(ends)


def test_groups_widen_the_interval_of_a_cost() -> None:
    y, score = drawn(50)
    repeated, groups = np.repeat(np.arange(50), 8), np.repeat(np.arange(50), 8)
    rows = y[repeated], score[repeated], 0.3, (500.0, 20.0)
    alone, whole = decision_value(*rows).costs[0], decision_value(*rows, groups=groups).costs[0]
    assert whole.high - whole.low > 2 * (alone.high - alone.low)


def test_without_costs_there_are_only_gains_and_scores_that_are_no_probabilities_have_no_break_even() -> None:
    y, score = drawn()
    value = decision_value(y, score, 0.3, None)
    assert value.costs == ()
    assert [one.flagged for one in value.gains] == [0.05, 0.1, 0.2, 0.5]
    ranked = y[np.argsort(-score, kind="stable")]
    assert value.gains[3].found == pytest.approx(ranked[:200].sum() / y.sum(), abs=0.03)
    assert decision_value(y, score, 0.3, (1, 1), groups=np.zeros(len(y))).costs == (), "one group shows no spread"
    names = [one.decision for one in decision_value(y, score, 0.3, (1, 1), is_probability=False).costs]
    assert names == ["model", "flag_all", "flag_none"]


def with_costs(text: str) -> Experiment:
    return parse_experiment(CHURN + text, "x")


def test_the_costs_of_errors_are_read_stored_and_part_of_the_hash() -> None:
    experiment = with_costs(COSTS)
    assert experiment.costs is not None
    assert (experiment.costs.missed, experiment.costs.false_alarm, experiment.costs.unit) == (500, 20, "EUR")
    assert experiment_from(experiment.model_dump(mode="json"), "x") == experiment
    plain = with_costs("")
    assert "costs" not in plain.model_dump(mode="json"), "the hashes of experiments without the key stay as they were"
    assert (experiment.spec_hash, experiment.run_hash) != (plain.spec_hash, plain.run_hash)
    assert experiment_from(plain.model_dump(mode="json"), "x") == plain


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("costs: {missed: 0, false_alarm: 20}\n", "costs.missed"),
        ("costs: {missed: 500, false_alarm: -1}\n", "costs.false_alarm"),
        ("costs: {missed: 500}\n", "costs.false_alarm"),
        ("costs: {missed: 500, false_alarm: 20, unit: ' '}\n", "costs.unit"),
        ("costs: {missed: 500, false_alarm: 20, found: 3}\n", "costs.found"),
    ],
)
def test_costs_that_make_no_sense_are_refused(text: str, where: str) -> None:
    with pytest.raises(ExperimentInvalid, match=where):
        with_costs(text)


def test_costs_are_for_two_classes_only() -> None:
    with pytest.raises(ExperimentInvalid, match=r"costs: .* is for binary_classification only"):
        parse_experiment(CHURN.replace("binary", "multiclass") + COSTS, "x")


def test_the_report_states_what_wrong_decisions_cost() -> None:
    report = report_facts(more=COSTS)
    html = " ".join(report_page(report).split())
    value = report.record.training.decisions
    assert value is not None
    assert f"{figure(value.costs[0].value, 3)} EUR" in html
    for text in (
        "Flag every row",
        "Flag no row",
        "for each 1,000 rows",
        "was not chosen for these costs",
        "to flag every row costs less than to follow the model at its threshold",
    ):
        assert text in html, text
    assert {"gain_chart.png", "expected_cost.png"} <= set(report.record.pictures)


def test_without_costs_the_report_has_a_decision_curve_and_says_how_to_name_costs() -> None:
    report = report_facts()
    html = report_page(report)
    assert {"gain_chart.png", "decision_curve.png"} <= set(report.record.pictures)
    assert "costs:" in html
    assert not {"gain_chart.png", "decision_curve.png"} & set(report_facts(problem_type="regression").record.pictures)
