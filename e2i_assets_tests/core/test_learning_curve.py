"""The learning curve of a training: nested parts of the train rows, judged on validation, and what it says."""

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
from e2i_assets.core.metrics import metric
from e2i_assets.core.report.learning import learning_finding
from e2i_assets.core.report.page import report_page

BINARY, REGRESSION = "binary_classification", "regression"


class Unreadable:
    """Rows that nobody may read."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the test rows were read: {name}")


def noisy(n: int, tail: int = 400) -> TrainingRows:
    """Train rows of a line with noise, of which more help, and validation rows beside them."""
    draws, given = np.random.default_rng(2), rows(REGRESSION)
    names = [f"x{place}" for place in range(20)]
    features = pd.DataFrame(draws.normal(size=(n + tail, 20)), columns=names)
    target = pd.Series(features.sum(axis=1) + 3 * draws.normal(size=n + tail), name="target")
    facts = given.facts.model_copy(update={"features": tuple(names)})
    return TrainingRows(
        facts, Rows(features[:n], target[:n]), Rows(features[n:], target[n:]), Rows(features[n:], target[n:])
    )


def test_each_part_is_nested_and_keeps_the_rows_of_a_person_together() -> None:
    train = rows(BINARY).train
    assert train.entities is not None
    parts = [curves._part(train, share, 42) for share in (0.125, 0.25, 0.5)]
    people = [set(part.entities) for part in parts]
    assert [len(of) for of in people] == [15, 30, 60]
    assert people[0] < people[1] < people[2]
    for part, of in zip(parts, people, strict=True):
        assert len(part.target) == np.isin(train.entities, list(of)).sum()
        assert part.features.equals(train.features.loc[part.features.index])


def test_the_test_rows_are_not_read_and_the_last_point_is_the_model_of_the_trial() -> None:
    of, given = experiment("Ridge", REGRESSION), noisy(800)
    found = training(of, given)
    curve = learning_curve(of, replace(given, test=Unreadable()), found)
    assert [one.rows for one in curve.points] == [100, 200, 400, 800]
    on_validation = metric("rmse", REGRESSION).score(given.validation.target.to_numpy(), found_prediction(found, given))
    assert curve.points[-1].value == pytest.approx(on_validation)
    assert curve.points[-1].value == pytest.approx(found.report.splits["validation"].metrics["rmse"])
    values = [one.value for one in curve.points]
    assert values == sorted(values, reverse=True)
    assert curve.doubling is not None
    assert curve.doubling.gain == pytest.approx(values[-2] - values[-1])
    assert curve == learning_curve(of, given, found)


def found_prediction(found: Any, given: TrainingRows) -> Any:
    from e2i_assets.core.fitting.fit_context import predicted_table

    return predicted_table(found.unseen[0][0], given.validation.features)


def test_dear_fits_and_fold_models_have_none_and_the_report_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    of, given = experiment("Ridge", REGRESSION), noisy(400)
    found = training(of, given)
    slow = learning_curve(of, given, replace(found, seconds=61.0))
    assert learning_finding(slow) == "There is no learning curve: a fit takes 61 seconds."
    folds = learning_curve(of, given, replace(found, final_model="folds"))
    assert "mean of fold models" in folds.why_missing
    monkeypatch.setattr(curves, "_MOST_ROWS", 399)
    assert "400 train rows are more than 399" in learning_curve(of, given, found).why_missing
    monkeypatch.setattr(curves, "_FEWEST_ROWS", 399)
    monkeypatch.setattr(curves, "_MOST_ROWS", 400)
    assert learning_curve(of, given, found) == LearningCurve(why_missing="400 train rows are too few for parts of them")


def test_more_rows_are_recommended_only_if_the_last_doubling_has_clearly_helped() -> None:
    points = (LearningPoint(500, 0.7), LearningPoint(1000, 0.72))
    gain = PairedGain(metric="roc_auc", first=0.72, second=0.7, gain=0.02, low=0.01, high=0.03, method="DeLong")
    assert learning_finding(LearningCurve(points, gain)) == (
        "With 1,000 instead of 500 train rows the model is 0.020 better (95 % interval of the gain 0.010 to 0.030, "
        "DeLong). The interval does not contain 0. More rows of the same kind would probably improve it further."
    )
    unclear = learning_finding(LearningCurve(points, replace(gain, low=-0.01)))
    assert unclear.endswith("alone promise little: better columns may do more.")
    worse = learning_finding(LearningCurve(points, replace(gain, gain=-0.02, low=-0.03, high=-0.01)))
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
