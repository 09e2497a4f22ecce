"""The learning curve of a training: nested parts of the train rows, judged on the others, and what it says."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from final_models import experiment, rows, training
from small_training import report_facts

from e2i_assets.core import learning_curve as curves
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.evaluation.paired import PairedGain
from e2i_assets.core.fitting.fit_context import Rows
from e2i_assets.core.learning_curve import LearningCurve, LearningPoint, learning_curve
from e2i_assets.core.report.learning import learning_finding
from e2i_assets.core.report.page import report_page

BINARY, REGRESSION = "binary_classification", "regression"


class Unreadable:
    """Rows that must not be read."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"these rows were read: {name}")


def noisy(n: int) -> TrainingRows:
    """Train rows of a plane with noise, of which more help; one person has two of them."""
    draws, given = np.random.default_rng(2), rows(REGRESSION)
    names = [f"x{place}" for place in range(20)]
    features = pd.DataFrame(draws.normal(size=(n + 100, 20)), columns=names)
    target = pd.Series(features.sum(axis=1) + 3 * draws.normal(size=n + 100), name="target")
    facts = given.facts.model_copy(update={"features": tuple(names)})
    train, other = Rows(features[:n], target[:n], np.arange(n) // 2), Rows(features[n:], target[n:])
    return TrainingRows(facts, train, other, other)


def test_parts_are_nested_keep_a_person_together_and_share_none_with_the_rows_that_judge_them() -> None:
    train = rows(BINARY).train
    assert train.entities is not None
    *parts, judge = curves._parts(train, 42)
    people = [set(part.entities) for part in parts]
    assert [len(of) for of in people] == [10, 20, 40, 80]
    assert people[0] < people[1] < people[2] < people[3]
    assert people[3] | set(judge.entities) == set(train.entities)
    assert not people[3] & set(judge.entities)
    for part, of in zip(parts, people, strict=True):
        assert len(part.target) == np.isin(train.entities, list(of)).sum()
        assert part.features.equals(train.features.loc[part.features.index])
        assert part.target.equals(train.target.loc[part.features.index])


@pytest.mark.parametrize("final_model", ["refit", "folds"])
def test_only_train_rows_are_read_and_more_of_them_help(final_model: str) -> None:
    of, given = experiment("Ridge", REGRESSION, final_model=final_model), noisy(900)
    found = training(of, given)
    nobody = Unreadable()
    curve = learning_curve(of, replace(given, validation=nobody, test=nobody), found)
    assert [one.rows for one in curve.points] == [76, 150, 300, 600]
    assert curve.judged_on == 300
    values = [one.value for one in curve.points]
    assert values == sorted(values, reverse=True)
    assert values[-1] == pytest.approx(3, abs=0.4), "the standard deviation of the noise"
    assert curve.doubling is not None
    assert curve.doubling.gain == pytest.approx(values[-2] - values[-1])
    assert curve.doubling.method == "paired jackknife of groups"
    assert curve == learning_curve(of, given, found)


def test_dear_fits_have_none_and_the_report_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    of, given = experiment("Ridge", REGRESSION), noisy(400)
    found = training(of, given)
    slow = learning_curve(of, given, replace(found, seconds=61.0))
    assert learning_finding(slow) == "There is no learning curve: a fit takes 61 seconds."
    monkeypatch.setattr(curves, "_MOST_ROWS", 399)
    assert "400 train rows are more than 399" in learning_curve(of, given, found).why_missing
    monkeypatch.setattr(curves, "_FEWEST_ROWS", 200)
    monkeypatch.setattr(curves, "_MOST_ROWS", 400)
    assert learning_curve(of, given, found) == LearningCurve(why_missing="400 train rows are too few for parts of them")


def test_more_rows_are_recommended_only_if_the_last_doubling_has_clearly_helped() -> None:
    points = (LearningPoint(500, 0.7), LearningPoint(1000, 0.72))
    gain = PairedGain(metric="roc_auc", first=0.72, second=0.7, gain=0.02, low=0.01, high=0.03, method="DeLong")
    assert learning_finding(LearningCurve(points, 90, gain)) == (
        "With 1,000 instead of 500 train rows the model is 0.020 better (95 % interval of the gain 0.010 to 0.030, "
        "DeLong). The interval does not contain 0. More rows of the same kind would probably improve it further."
    )
    unclear = learning_finding(LearningCurve(points, 90, replace(gain, low=-0.01)))
    assert unclear.endswith("alone promise little: better columns may do more.")
    worse = learning_finding(LearningCurve(points, 90, replace(gain, gain=-0.02, low=-0.03, high=-0.01)))
    assert "0.020 worse" in worse
    assert worse.endswith("alone promise little: better columns may do more.")


def test_the_report_has_the_curve() -> None:
    report = report_facts()
    html = report_page(report)
    curve = report.record.learning_curve
    assert curve is not None
    assert len(curve.points) >= 2
    assert "Is more data worth it?" in html
    assert f"{curve.points[0].rows:,}" in html
    assert "learning_curve.png" in report.record.pictures
