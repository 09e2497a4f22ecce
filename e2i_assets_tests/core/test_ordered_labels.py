"""A target with an order: its classes are coded in that order, and it is evaluated with metrics that know it."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from e2i_assets.core.data.dataset import Dataset, dataset_of
from e2i_assets.core.data.row_places import RowPlaces, with_places
from e2i_assets.core.data.split_tables import SplitFacts, TrainingRows
from e2i_assets.core.errors import DataInvalid, ExperimentInvalid
from e2i_assets.core.evaluation.evaluation import evaluation, split_evaluation
from e2i_assets.core.evaluation.weighted_metrics import weighted_metrics
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.fitting.fit_context import Rows
from e2i_assets.core.metrics import OF_ORDER, Prediction, metric
from e2i_assets.core.plots.evaluation import pictures
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study_output import hpo_output
from e2i_assets.core.training import trained
from e2i_assets_tests.support.small_training import searched

ORDER = ["low", "mid", "high"]
MULTICLASS = "multiclass_classification"
RANDOM = np.random.default_rng(3)
SIGNAL = RANDOM.normal(size=400)
TABLE = pd.DataFrame(
    {
        "signal": SIGNAL,
        "noise": RANDOM.normal(size=400),
        "grade": np.array(ORDER)[np.digitize(SIGNAL + RANDOM.normal(0, 0.5, 400), [-0.5, 0.7])],
    }
)
CUT = {"name": "level", "column": "signal", "bins": [-0.5, 0.7], "labels": ["z", "y", "x"]}


def experiment(**changes: Any) -> Experiment:
    raw = {
        "name": "grades",
        "owner": "team:a",
        "source": {"csv": "a.csv"},
        "target": {"column": "grade", "order": ORDER},
        "problem_type": MULTICLASS,
        "algorithm": "LightGBM",
        "hpo": {"trials": 3, "workers": 1},
    }
    return experiment_from({**raw, **changes}, "x")


def mistakes(**changes: Any) -> list[str]:
    with pytest.raises(ExperimentInvalid) as caught:
        experiment(**changes)
    return [str(violation) for violation in caught.value.violations]


def data_mistakes(table: pd.DataFrame, order: list[Any]) -> list[str]:
    with pytest.raises(DataInvalid) as caught:
        dataset_of(table, experiment(target={"column": "grade", "order": order}))
    return [str(violation) for violation in caught.value.violations]


def rows_of(data: Dataset) -> TrainingRows:
    parts = data.frame[:240], data.frame[240:320], data.frame[320:]
    counts = {"train": 240, "validation": 80, "test": 80, "holdout": 0}
    facts = SplitFacts(
        experiment="grades", problem_type=MULTICLASS, target=data.target, features=data.features, classes=data.classes,
        ordered=True, data_hash="d", split_hash="e", search_hash="f", strategy="stratified", seed=42, counts=counts,
        left_out=0,
    )  # fmt: skip
    train, validation, test = (Rows(part[list(data.features)], part[data.target]) for part in parts)
    return TrainingRows(facts, train, validation, test)


def test_the_classes_are_in_the_declared_order() -> None:
    assert dataset_of(TABLE, experiment()).classes == ("low", "mid", "high")
    numbers = TABLE.assign(grade=TABLE["grade"].map({"low": 10, "mid": 9, "high": 2}))
    assert dataset_of(numbers, experiment(target={"column": "grade", "order": [10, 9, 2]})).classes == ("10", "9", "2")


def test_a_label_outside_the_order_is_refused_with_its_count_and_place() -> None:
    table = TABLE.copy()
    table.loc[[4, 30], "grade"] = "Mid"
    assert data_mistakes(with_places(table, RowPlaces("line", 2)), ORDER) == [
        "target.order: 'Mid' is not in the list, and 2 rows have it (lines 6, 32): add it in its place, or list it "
        "under columns.missing if it means a missing value"
    ]


def test_a_label_of_the_order_without_rows_is_refused() -> None:
    assert data_mistakes(TABLE, [*ORDER, "top"]) == ["target.order: 'top' has no row: remove it, or correct it"]


def test_the_default_metric_of_a_declared_order_knows_it() -> None:
    assert experiment().metric == "quadratic_weighted_kappa"
    assert experiment(target="grade").metric == "f1_weighted"
    # Bins have an order too, but an existing file without a metric keeps its study.
    assert experiment(target=CUT).metric == "f1_weighted"
    assert experiment(target=CUT, metric="rank_mae").metric == "rank_mae"


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"metric": "rank_mae"}, "metric"),
        ({"metric": "f1_macro", "hpo": {"objectives": ["rank_mae"]}}, "hpo.objectives.0"),
        (
            {"metric": "f1_macro", "hpo": {"constraints": {"rank_mae": 1}}},
            "hpo.constraints.rank_mae",
        ),
        ({"success_criteria": {"minimum_qwk": 0.5}}, "success_criteria.minimum_qwk"),
        ({"success_criteria": {"maximum_rank_mae": 0.5}}, "success_criteria.maximum_rank_mae"),
    ],
)
def test_a_metric_of_order_without_one_is_refused_with_the_key_to_add(changes: dict[str, Any], where: str) -> None:
    (found,) = mistakes(target="grade", **changes)
    assert found.startswith(f"{where}: ")
    assert found.endswith("needs the order of the labels: add target: {column: grade, order: [lowest, ..., highest]}")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"problem_type": "regression", "algorithm": "Ridge"}, "is for classification only"),
        ({"problem_type": "binary_classification"}, "two labels need no order"),
        ({"target": {**CUT, "order": ORDER}}, "bins have an order already"),
        ({"target": {"column": "grade", "order": ["a", "b"]}}, "must be at least 3 labels"),
        ({"target": {"column": "grade", "order": [1, "1", 2]}}, "contains '1' twice"),
    ],
)
def test_an_order_that_cannot_be_used_is_refused(changes: dict[str, Any], expected: str) -> None:
    found = mistakes(**changes)
    assert any(one.startswith("target.order") and expected in one for one in found), found


def test_the_kappa_measures_distances_between_all_classes() -> None:
    """Class 1 occurs in no row: the distance of 0 and 2 is two classes all the same."""
    truth, labels = np.array([0, 2, 3, 3, 0, 2]), np.array([0, 3, 3, 2, 2, 2])
    expected = cohen_kappa_score(truth, labels, labels=[0, 1, 2, 3], weights="quadratic")
    prediction = Prediction(labels)
    assert metric("quadratic_weighted_kappa", MULTICLASS).score(truth, prediction) == pytest.approx(expected)
    assert metric("rank_mae", MULTICLASS).score(truth, prediction) == pytest.approx(4 / 6)
    assert expected != pytest.approx(cohen_kappa_score(truth, labels, weights="quadratic"))


def some_rows(n: int = 200) -> tuple[Any, Prediction]:
    random = np.random.default_rng(5)
    truth = random.integers(0, 4, n)
    scores = random.dirichlet(np.ones(4), n) + 0.4 * np.eye(4)[truth]
    return truth, Prediction(scores.argmax(axis=1), scores / scores.sum(axis=1, keepdims=True))


def test_every_split_reports_the_metrics_of_order_and_they_have_intervals() -> None:
    of = evaluation(MULTICLASS, dict.fromkeys(("train", "validation", "test"), some_rows()), ordered=True)
    for split in of.splits.values():
        assert split.metrics.keys() >= OF_ORDER
        for name in OF_ORDER:
            assert of.intervals[name].low < split.metrics[name] < of.intervals[name].high


def test_without_an_order_the_metrics_of_order_are_absent_with_the_key_to_add() -> None:
    truth, prediction = some_rows()
    of = split_evaluation(MULTICLASS, truth, prediction)
    assert {of.not_computable[name] for name in OF_ORDER} == {"the classes have no order: declare it with target.order"}
    assert not OF_ORDER & weighted_metrics(MULTICLASS, truth, prediction, None)(np.ones((1, len(truth)))).keys()


def test_the_metrics_of_order_are_the_same_in_a_resample() -> None:
    truth, prediction = some_rows()
    drawn = np.random.default_rng(0).integers(0, len(truth), len(truth))
    weights = np.bincount(drawn, minlength=len(truth)).astype(float)[None]
    found = weighted_metrics(MULTICLASS, truth, prediction, None, ordered=True)(weights)
    for name in OF_ORDER:
        repeated = metric(name, MULTICLASS).score(truth[drawn], Prediction(prediction.labels[drawn]))
        assert found[name][0] == pytest.approx(repeated)


@pytest.mark.parametrize("chosen", sorted(OF_ORDER))
def test_a_study_optimises_a_metric_of_order_and_the_model_names_the_classes(chosen: str) -> None:
    of = experiment(metric=chosen, success_criteria={"minimum_lift_over_baseline": 0.1})
    rows = rows_of(dataset_of(TABLE, of))
    study = searched(of, rows)
    output = hpo_output(of, "a" * 64, study)
    training = trained(of, rows, output)
    test = training.report.splits["test"]
    assert list(training.model.classes_) == ORDER
    truth, prediction = training.on_test
    assert test.metrics["quadratic_weighted_kappa"] > 0.5
    assert test.confusion is not None
    assert np.sum(test.confusion, axis=1).tolist() == [np.sum(truth == code) for code in range(3)]
    assert set(training.model.predict(rows.test.features)) <= set(ORDER)
    assert test.metrics["rank_mae"] == pytest.approx(np.abs(truth - prediction.labels).mean())
    assert "confusion_matrix.png" in pictures(truth, prediction, rows.facts.classes, test.confusion)


def test_another_order_is_another_study() -> None:
    keys = set()
    for order in (ORDER, ORDER[::-1]):
        of = experiment(target={"column": "grade", "order": order})
        keys.add(tuning.spec_hash(of, rows_of(dataset_of(TABLE, of)).facts))
    assert len(keys) == 2
