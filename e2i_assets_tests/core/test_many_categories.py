"""Categories with many values: every algorithm uses them, and none learns the targets of their rows."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from fitted_models import EACH_ONCE

from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.prepared_data import Task
from e2i_assets.core.fitting.fit_context import FitContext, Rows, fit_context
from e2i_assets.core.fitting.many_categories import encoded, encoded_target
from e2i_assets.core.imbalance import AS_THEY_COME, Balancing, Strategy
from e2i_assets.core.metrics import Array, ProblemType, metric

CLASSES: dict[ProblemType, tuple[str, ...]] = {
    "binary_classification": ("no", "yes"),
    "multiclass_classification": ("high", "low", "middle"),
    "regression": (),
}
TRAIN, VALUES = 2400, 1000


def table(problem: ProblemType) -> tuple[pd.DataFrame, pd.Series]:
    """Return rows with a number and a town that decide the target, and a code and a grade that do not."""
    random = np.random.default_rng(3)
    rows = TRAIN + 1200
    town = random.integers(0, 80, rows)
    frame = pd.DataFrame(
        {
            "code": [f"c{number}" for number in random.integers(0, VALUES, rows)],
            "x": random.normal(size=rows),
            "town": [f"t{number}" for number in town],
            "grade": random.choice(["a", "b", None], rows),
        }
    ).astype({"code": "category", "town": "category", "grade": "category"})
    signal = 2 * random.normal(size=80)[town] + frame.x + random.normal(size=rows)
    if problem == "regression":
        return frame, signal
    cut = [0.0] if problem == "binary_classification" else [-1.0, 1.0]
    names = ("no", "yes") if problem == "binary_classification" else ("low", "middle", "high")
    return frame, pd.Series([names[place] for place in np.digitize(signal, cut)])


def prepared(
    name: str,
    problem: ProblemType,
    columns: Sequence[str],
    balancing: Balancing = AS_THEY_COME,
    target: pd.Series | None = None,
) -> FitContext:
    frame, own = table(problem)
    target = own if target is None else target
    parts = [Rows(frame.loc[rows, list(columns)], target[rows]) for rows in (frame.index < TRAIN, frame.index >= TRAIN)]
    task = Task(problem, len(CLASSES[problem]))
    return fit_context(registry.algorithm(name), task, parts[0], parts[1], CLASSES[problem], balancing=balancing)


def score(context: FitContext) -> float:
    """Return the validation score: the ROC AUC, or R² for a regression."""
    problem = context.task.problem_type
    chosen = context.algorithm
    few = {"n_estimators": 40} if "n_estimators" in chosen.parameters else {}
    fit = context.fit({**chosen.default_values, **few, **chosen.fixed_values}, patience=20)
    prediction = context.on_validation(fit)
    if problem == "regression":
        truth = context.y_validation
        return float(1 - np.var(truth - prediction.labels) / np.var(truth))
    return metric("roc_auc", problem).score(context.y_validation, prediction)


@pytest.mark.parametrize(("name", "problem"), EACH_ONCE)
def test_a_category_with_many_values_is_learnt(name: str, problem: ProblemType) -> None:
    assert score(prepared(name, problem, ["x", "town"])) > score(prepared(name, problem, ["x"])) + 0.1


@pytest.mark.parametrize(("name", "problem"), EACH_ONCE)
def test_a_category_without_meaning_is_at_chance_and_hides_nothing(name: str, problem: ProblemType) -> None:
    """Rows of validation in the encoding would help on validation; the own target of train rows would mislead."""
    chance = 0.0 if problem == "regression" else 0.5
    assert score(prepared(name, problem, ["code"])) < chance + 0.05
    assert score(prepared(name, problem, ["x", "code"])) > score(prepared(name, problem, ["x"])) - 0.05


@pytest.mark.parametrize(("name", "problem"), EACH_ONCE)
def test_the_encoding_of_a_train_row_does_not_contain_its_target(name: str, problem: ProblemType) -> None:
    context = prepared(name, problem, ["code"])
    target = context.y_train if problem == "regression" else context.y_train == 0
    train = context.prepared_data.x_train
    served = context.preparation.transform(table(problem)[0].loc[: TRAIN - 1, ["code"]])
    assert abs(np.corrcoef(train[:, 0], target)[0, 1]) < 0.1
    assert abs(np.corrcoef(served[:, 0], target)[0, 1]) > 0.3


@pytest.mark.parametrize("problem", CLASSES)
def test_the_targets_of_validation_rows_change_nothing(problem: ProblemType) -> None:
    own = table(problem)[1]
    other = own.where(own.index < TRAIN, own.iloc[0])
    first, second = (
        prepared("Ridge" if not CLASSES[problem] else "XGBoost", problem, ["code", "x", "town"], target=one)
        for one in (own, other)
    )
    assert np.array_equal(first.prepared_data.x_train, second.prepared_data.x_train)
    assert np.array_equal(first.prepared_data.x_validation, second.prepared_data.x_validation)


@pytest.mark.parametrize(("name", "problem"), EACH_ONCE)
def test_a_second_fit_gives_the_same_value(name: str, problem: ProblemType) -> None:
    columns = ["code", "x", "town", "grade"]
    assert score(prepared(name, problem, columns)) == pytest.approx(score(prepared(name, problem, columns)), abs=1e-12)


@pytest.mark.parametrize("name", ["LightGBM", "RandomForest", "LogisticRegression"])
@pytest.mark.parametrize("strategy", ["random_oversample", "random_undersample", "smote", "smote_tomek", "combined"])
def test_resampled_rows_have_cross_fitted_encodings(name: str, strategy: Strategy) -> None:
    """A copy that was encoded with its own target would reveal it."""
    problem: ProblemType = "binary_classification"
    frame, _ = table(problem)
    rare = pd.Series(np.where(np.random.default_rng(1).random(len(frame)) < 0.1, "yes", "no"))
    context = prepared(name, problem, ["code", "x", "grade"], Balancing(strategy, 4), target=rare)
    place = context.preparation.columns.output_indices_["many-valued"]
    encoded, target = context.prepared_data.x_train[:, place], context.prepared_data.y_train
    assert len(encoded) == len(target) != TRAIN
    assert abs(np.corrcoef(encoded[:, 0], target)[0, 1]) < 0.2
    assert np.isfinite(encoded).all()


@pytest.mark.parametrize("name", registry.installed())
def test_rare_and_unknown_values_are_one_and_missing_cells_another(name: str) -> None:
    chosen = registry.algorithm(name)
    problem = chosen.problem_types[0]
    frame, target = table(problem)
    frame["code"] = frame["code"].astype(object).mask(frame.index % 7 == 0)
    frame.loc[1, "code"] = "rare"
    rows = Rows(frame[["code", "x"]], target)
    context = fit_context(chosen, Task(problem, len(CLASSES[problem])), rows, rows, CLASSES[problem])
    few = {"n_estimators": 20} if "n_estimators" in chosen.parameters else {}
    model = context.model(context.fit({**chosen.default_values, **few, **chosen.fixed_values}))
    cells = ["rare", "never seen", None, np.nan, pd.NA]
    shown = pd.DataFrame({"code": pd.Series(cells, dtype=object), "x": 0.5})
    seen: Array = model.predict(shown) if problem == "regression" else model.predict_proba(shown)[:, 0]
    assert seen[0] == seen[1]
    assert seen[2] == seen[3] == seen[4]
    place = context.preparation.columns.output_indices_["many-valued"]
    alone = context.preparation.transform(shown.assign(code=shown["code"].where(shown["code"].notna(), np.nan)))
    assert (alone[0, place] == alone[1, place]).all()
    assert (alone[0, place] != alone[2, place]).any()


def test_the_scale_of_the_target_does_not_change_its_encoding() -> None:
    frame, target = table("regression")
    made = [
        encoded(frame[["town"]], encoded_target(target.to_numpy() * scale, ()), None, False)[1]
        for scale in (1.0, 1e-200, 1e200)
    ]
    for other in made[1:]:
        assert np.allclose(made[0], other, rtol=1e-9)


@pytest.mark.parametrize(("name", "problem"), EACH_ONCE)
def test_thousands_of_values_make_one_column_a_class(name: str, problem: ProblemType) -> None:
    width = prepared(name, problem, ["code"]).prepared_data.x_train.shape[1]
    assert width == (3 if problem == "multiclass_classification" else 1)


@pytest.mark.parametrize("name", ["LightGBM", "RandomForest", "LogisticRegression"])
def test_the_encoding_of_a_row_does_not_contain_the_target_of_its_person(name: str) -> None:
    """With the other rows of a person in other folds, a practice with two persons told the target: 0.62, not 0.75."""
    random = np.random.default_rng(0)
    person = np.repeat(np.arange(900), 10)
    latent, practice = random.normal(size=900), random.integers(0, 300, 900)
    frame = pd.DataFrame(
        {
            "x": latent[person] + 1.5 * random.normal(size=len(person)),
            "practice": pd.Series([f"p{number}" for number in practice[person]]).astype("category"),
        }
    )
    target = pd.Series(np.where(latent[person] + 0.3 * random.normal(size=len(person)) > 0.3, "yes", "no"))
    found = []
    for columns in (["x"], ["x", "practice"]):
        parts = [Rows(frame.loc[rows, columns], target[rows], person[rows]) for rows in (person < 600, person >= 600)]
        task = Task("binary_classification", 2)
        found.append(score(fit_context(registry.algorithm(name), task, *parts, ("no", "yes"))))
    assert found[1] > found[0] - 0.04
