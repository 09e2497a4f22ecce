"""Champion and challenger: which model is in use after a comparison, and the figures behind the verdict."""

import numpy as np
import pytest

from e2i_assets.core.automation.champion import Comparison, compared, verdict
from e2i_assets.core.evaluation.measures import Measure, measure
from e2i_assets.core.evaluation.paired import Contender, PairedRows
from e2i_assets.core.metrics import Prediction


def comparison(gain: float) -> Comparison:
    return Comparison(
        metric="roc_auc", test_rows=9, challenger=0.8 + gain, champion=0.8, gain=gain, gain_low=-0.1, gain_high=0.1
    )


@pytest.mark.parametrize(
    ("broken", "has_champion", "gain", "criteria_met", "promoted", "why"),
    [
        pytest.param([], False, None, True, True, "the first", id="nobody to beat"),
        pytest.param([], True, 0.01, True, True, "not worse", id="better"),
        pytest.param([], True, 0.0, True, True, "not worse", id="as good"),
        pytest.param([], True, -1e-15, True, True, "not worse", id="as good, but for rounding"),
        pytest.param([], True, -0.001, True, False, "the champion stays", id="a little worse"),
        pytest.param(["links: broken"], True, 0.2, True, False, "links: broken", id="better, and broken"),
        pytest.param(["links: broken"], False, None, True, False, "links: broken", id="the first, and broken"),
        pytest.param([], True, None, True, True, "lacks a column", id="the champion cannot be judged any more"),
        pytest.param([], True, None, False, False, "its criteria", id="nor is the new one good enough"),
    ],
)
def test_verdict(
    broken: list[str], has_champion: bool, gain: float | None, criteria_met: bool, promoted: bool, why: str
) -> None:
    found = verdict(broken, has_champion, None if gain is None else comparison(gain), "lacks a column", criteria_met)
    assert found.promoted is promoted
    assert why in found.reason


def test_gain_in_an_error_metric_is_its_decrease_and_has_a_paired_interval() -> None:
    draws = np.random.default_rng(0)
    truth = draws.normal(size=400)
    noise = draws.normal(size=400)
    rmse = measure("rmse", "regression")
    assert rmse is not None
    new, old = Contender(Prediction(truth + 0.5 * noise)), Contender(Prediction(truth + 0.6 * noise))
    found = compared(PairedRows(problem_type="regression", truth=truth), rmse, new, old, seed=1)
    assert found is not None
    # Both models are wrong in the same rows, so the interval of the gain is much narrower than that of either error.
    assert found.gain == pytest.approx(0.1 * np.sqrt(np.mean(noise**2)))
    assert found.gain_low is not None
    assert found.gain_high is not None
    assert 0.08 < found.gain_low < found.gain < found.gain_high < 0.12
    turned = compared(PairedRows(problem_type="regression", truth=truth), rmse, old, new, seed=1)
    assert turned is not None
    assert turned.gain == -found.gain


def test_equal_models_have_no_gain_in_any_resample() -> None:
    truth = np.array([0, 1, 1, 0, 1, 0] * 20)
    scores = np.random.default_rng(3).uniform(size=120)
    same = Contender(Prediction((scores > 0.5).astype(int), np.column_stack([1 - scores, scores])), 0.4)
    found = compared(
        PairedRows(problem_type="binary_classification", truth=truth), Measure("roc_auc", low=0.5), same, same, seed=1
    )
    assert found is not None
    assert (found.gain, found.gain_low, found.gain_high) == (0.0, 0.0, 0.0)


def test_a_metric_undefined_in_every_resample_is_compared_without_an_interval() -> None:
    truth = np.array([0, 1, 1, 0, 1, 0] * 20)
    scores = np.random.default_rng(3).uniform(0.1, 0.9, size=120)
    one = Contender(Prediction((scores > 0.5).astype(int), np.column_stack([1 - scores, scores])))
    found = compared(
        PairedRows(problem_type="binary_classification", truth=truth), Measure("log_loss", False), one, one, seed=1
    )
    assert found is not None
    assert found.gain_low is None


def test_models_cannot_be_compared_by_a_metric_that_is_undefined_on_the_rows() -> None:
    one = Contender(Prediction(np.ones(5, dtype=int), np.full((5, 2), 0.5)))
    assert (
        compared(
            PairedRows(problem_type="binary_classification", truth=np.ones(5, dtype=int)),
            Measure("roc_auc"),
            one,
            one,
            seed=1,
        )
        is None
    )
