"""Which experiments have the same test rows, what differs between them, and the page of their comparison."""

import dataclasses
from datetime import UTC, datetime

import pytest
from small_training import Names, problem, rows_of

from e2i_assets.core.comparison import ComparedModel, ModelComparison, NotComparable, differences, require_same_rows
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.evaluation.paired import PairedGain
from e2i_assets.core.fitting.fit_context import Rows
from e2i_assets.core.report.comparison import comparison_page

BINARY = "binary_classification"


def other(rows: TrainingRows, test: Rows | None = None, **facts: object) -> TrainingRows:
    """Return the rows of another experiment, with another split hash."""
    changed = rows.facts.model_copy(update={"experiment": "other", "split_hash": "9" * 64, **facts})
    return dataclasses.replace(rows, facts=changed, test=test or rows.test)


def test_rows_are_the_same_when_the_target_and_the_shared_features_are() -> None:
    rows = rows_of(Names(), BINARY)
    require_same_rows(rows, other(rows))
    fewer = Rows(rows.test.features[["age"]], rows.test.target)
    require_same_rows(rows, other(rows, fewer, features=("age",)))


def test_other_rows_and_other_questions_are_refused_with_the_reason() -> None:
    rows = rows_of(Names(), BINARY)
    turned = Rows(rows.test.features.iloc[::-1].reset_index(drop=True), rows.test.target)
    unshared = Rows(rows.test.features.add_prefix("new "), rows.test.target)
    for changed, reason in (
        (other(rows, turned), "their test rows differ, though both have 60"),
        (other(rows, unshared, features=tuple(unshared.features)), "their test rows differ"),
        (other(rows, counts={**rows.facts.counts, "test": 61}), r"their test rows differ \(60 and 61\)"),
        (other(rows, classes=("a", "b")), "they predict left .* with the classes no, yes.* and left .* a, b"),
        (other(rows, dataclasses.replace(rows.test, weights=rows.test.features["age"].to_numpy())), "weights"),
    ):
        with pytest.raises(NotComparable, match=reason):
            require_same_rows(rows, changed)


def test_settings_and_parameters_that_differ_are_listed() -> None:
    first = problem(Names(), BINARY, "LightGBM", "")
    second = problem(Names(), BINARY, "XGBoost", ", seed: 3").model_copy(update={"name": "second", "owner": "team:b"})
    found = differences([first, second], {"small": {"max_depth": 3, "eta": 1}, "second": {"max_depth": 4, "eta": 1}})
    rows = {row["setting"]: (row["small"], row["second"]) for row in found}
    assert rows["algorithm"] == ("LightGBM", "XGBoost")
    assert rows["hpo.seed"] == ("42", "3")
    assert rows["parameters.max_depth"] == ("3", "4")
    assert not {"owner", "name", "parameters.eta"} & set(rows)


def test_the_page_escapes_names_and_says_what_the_interval_shows() -> None:
    name = "<script>alert(1)</script>"
    models = tuple(
        ComparedModel(
            experiment=experiment, algorithm="Ridge", model_key="k" * 64, metrics={"rmse": 2.0}, low=1.9, high=2.1,
            features=3, samples=240, trials=0, search_seconds=None, fit_seconds=0.1, model_bytes=2000,
            calibration_slope=None, segments={"region = north": 2.0},
        )
        for experiment in ("first", name)
    )  # fmt: skip
    gain = PairedGain(metric="rmse", first=2.0, second=2.5, gain=0.5, low=0.2, high=0.8, method="paired jackknife")
    comparison = ModelComparison(
        metric="rmse", greater_is_better=False, test_rows=60, group="person", models=models,
        gains={name: gain}, differences=({"setting": "algorithm", "first": "a", name: "b"},),
    )  # fmt: skip
    html = comparison_page(comparison, datetime(2026, 1, 2, tzinfo=UTC))
    assert "<script" not in html
    assert (
        "0.50 better (95 % interval of the gain 0.20 to 0.80, paired jackknife). The interval does not contain 0."
        in html
    )
    assert "all rows of a person were drawn together" in html
    assert "region = north" in html
