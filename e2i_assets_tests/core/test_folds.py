"""Evaluation on folds: whole groups, classes on both sides, reproducible values, and pruning that saves fits."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

from e2i_assets.core.algorithms import registry
from e2i_assets.core.data.folds import Fold, folds
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts
from e2i_assets.core.errors import DataInvalid, E2iError
from e2i_assets.core.fitting.fit_context import Rows
from e2i_assets.core.metrics import Metric, metric
from e2i_assets.core.search.cross_validation import OnFolds, on_folds, typical
from e2i_assets.core.search.goals import metric_goal
from e2i_assets.core.search.objective import Objective
from e2i_assets.core.search.samplers import PRUNERS
from e2i_assets.core.search.study import search
from e2i_assets.core.search.study_plan import StudyPlan
from e2i_assets.core.search_space.space import parse_space

BINARY = "binary_classification"


def search_rows(
    frame: pd.DataFrame, kind: Any, groups: Any = None, classes: tuple[Any, ...] | None = None
) -> SearchRows:
    """Return rows whose last column is the target; three quarters of them are train rows."""
    labels = () if kind == "regression" else tuple(sorted(frame["target"].unique().tolist()))
    facts = SplitFacts(
        experiment="small",
        problem_type=kind,
        target="target",
        features=tuple(frame.columns.drop("target")),
        classes=labels if classes is None else classes,
        data_hash="data",
        split_hash="split",
        search_hash="search",
        strategy="stratified",
        seed=42,
        counts={},
        left_out=0,
    )
    cut = len(frame) * 3 // 4
    named = None if groups is None else pd.DataFrame({"person": groups})
    return SearchRows(facts, facts.rows(frame.iloc[:cut]), facts.rows(frame.iloc[cut:]), named)


def shuffled(frame: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    return frame.sample(frac=1.0, random_state=seed).reset_index(drop=True)


def cells(rows: int = 240) -> pd.DataFrame:
    return shuffled(load_breast_cancer(as_frame=True).frame).head(rows)


def sugar() -> pd.DataFrame:
    return shuffled(load_diabetes(as_frame=True).frame)


def content(rows: Rows) -> list[tuple[float, ...]]:
    return [tuple(row) for row in rows.features.assign(y=rows.target).to_numpy(dtype=float)]


def one_class_with_three_rows() -> pd.DataFrame:
    return pd.concat([cells().query("target == 1"), cells().query("target == 0").head(3)])


def persons(count: int) -> list[str]:
    """Return person ids for three rows each, unrelated to the row order."""
    return [f"p{row // 3 * 7919 % 1000}" for row in range(count)]


def scheme(name: str, rows: SearchRows, count: int = 4, repeats: int = 1, reporting: Any = "mean") -> OnFolds:
    return on_folds(registry.algorithm(name), rows.facts, folds(rows, count, repeats, 42), reporting)


def goals(kind: Any = BINARY, name: str = "roc_auc") -> list[Any]:
    return [metric_goal(metric(name, kind))]


def whole(name: str, **changes: Any) -> dict[str, Any]:
    algorithm = registry.algorithm(name)
    return {**algorithm.default_values, **algorithm.fixed_values, **changes}


@pytest.mark.parametrize("kind", [BINARY, "regression"])
@pytest.mark.parametrize("grouped", [False, True])
def test_every_row_is_held_out_once_in_each_repetition(kind: str, grouped: bool) -> None:
    frame = cells() if kind == BINARY else sugar()
    made = [*folds(search_rows(frame, kind, persons(len(frame)) if grouped else None), 4, 3, 42)]
    everything = sorted(content(Rows(frame.drop(columns="target"), frame["target"])))
    assert len(made) == 12
    for start in (0, 4, 8):
        repetition = made[start : start + 4]
        assert sorted(row for fold in repetition for row in content(fold.held_out)) == everything
        for fold in repetition:
            assert sorted(content(fold.train) + content(fold.held_out)) == everything


def test_repetitions_have_other_folds() -> None:
    made = [*folds(search_rows(cells(), BINARY), 4, 3, 42)]
    assert len({frozenset(content(fold.held_out)) for fold in made}) == 12


def test_no_group_is_on_both_sides_of_a_fold() -> None:
    frame = cells()
    group_of = dict(zip(content(Rows(frame.drop(columns="target"), frame["target"])), persons(len(frame)), strict=True))
    made = [*folds(search_rows(frame, BINARY, persons(len(frame))), 5, 2, 42)]
    assert len(made) == 10
    for fold in made:
        train, held_out = ({group_of[row] for row in content(part)} for part in (fold.train, fold.held_out))
        assert not train & held_out
        assert train
        assert held_out


def test_groups_of_one_row_each_are_ignored() -> None:
    """A unique id as the group gives the folds of ungrouped rows."""
    frame = cells()
    by_id = [*folds(search_rows(frame, BINARY, range(len(frame))), 4, 1, 42)]
    alone = [*folds(search_rows(frame, BINARY), 4, 1, 42)]
    assert [content(fold.held_out) for fold in by_id] == [content(fold.held_out) for fold in alone]


@pytest.mark.parametrize("grouped", [False, True])
def test_classes_keep_their_shares_in_every_fold(grouped: bool) -> None:
    frame = cells()
    for fold in folds(search_rows(frame, BINARY, persons(len(frame)) if grouped else None), 4, 2, 42):
        for part in (fold.train, fold.held_out):
            assert part.target.mean() == pytest.approx(frame["target"].mean(), abs=0.05)


def test_regression_folds_are_stratified_by_the_target() -> None:
    """Stratified by ranges of the target: the means of folds differ less than those of random folds."""
    frame = sugar()
    means = [fold.held_out.target.mean() for fold in folds(search_rows(frame, "regression"), 5, 1, 42)]
    standard_error = frame["target"].std() / math.sqrt(len(frame) / 5)
    assert max(abs(mean - frame["target"].mean()) for mean in means) < standard_error / 2


@pytest.mark.parametrize("kind", [BINARY, "regression"])
@pytest.mark.parametrize("grouped", [False, True])
def test_folds_do_not_depend_on_row_order_or_on_the_train_validation_boundary(kind: str, grouped: bool) -> None:
    frame = cells() if kind == BINARY else sugar()
    frame = frame.assign(person=persons(len(frame)))
    frame.loc[10, :] = frame.loc[9, :]
    found = []
    for one in (frame, shuffled(frame, 5)):
        rows = search_rows(one.drop(columns="person"), kind, one["person"] if grouped else None)
        found.append([(content(fold.train), content(fold.held_out)) for fold in folds(rows, 4, 2, 42)])
    assert found[0] == found[1]


def test_another_seed_gives_other_folds() -> None:
    rows = search_rows(cells(), BINARY)
    one, other = ([content(fold.held_out) for fold in folds(rows, 4, 1, seed)] for seed in (1, 2))
    assert one != other


def test_categories_that_only_one_fold_has_stay_categories() -> None:
    frame = cells().assign(kind=["common"] * 239 + ["rare"])
    rows = search_rows(frame[[*frame.columns.drop("target"), "target"]], BINARY)
    rows = replace(
        rows,
        train=Rows(rows.train.features.astype({"kind": "category"}), rows.train.target),
        validation=Rows(rows.validation.features.astype({"kind": "category"}), rows.validation.target),
    )
    made: list[Fold] = [*folds(rows, 4, 1, 42)]
    assert {str(fold.train.features["kind"].dtype) for fold in made} == {"category"}
    assert sum((fold.held_out.features["kind"] == "rare").sum() for fold in made) == 1


@pytest.mark.parametrize(
    ("rows", "count", "repeats", "sentence"),
    [
        (
            lambda: search_rows(one_class_with_three_rows(), BINARY),
            *(5, 1, r"folds: 5 is too many: class 0 has only 3 rows; set hpo\.folds: 3 or fewer, or set hpo\.objec"),
        ),
        (
            lambda: search_rows(cells(), BINARY, classes=(0, 1, 2)),
            *(2, 1, r"hpo\.folds: 2 is too many: class 2 has only 0 rows; set hpo\.objective: validation"),
        ),
        (
            lambda: search_rows(cells(40), BINARY, [row % 4 for row in range(40)]),
            *(5, 1, r"hpo\.folds: 5 is too many: train and validation have only 4 groups; set hpo\.folds: 4"),
        ),
        (
            lambda: search_rows(sugar().head(8), "regression"),
            *(10, 1, r"hpo\.folds: 10 is too many: train and validation have only 8 rows"),
        ),
        (
            lambda: search_rows(sugar().head(40), "regression", [row % 2 for row in range(40)]),
            *(2, 3, r"hpo\.repeats: 3 is too many: the groups allow 1 different repetitions"),
        ),
    ],
)
def test_too_few_members_for_the_folds_are_an_error_with_a_fix(
    rows: Any, count: int, repeats: int, sentence: str
) -> None:
    with pytest.raises(DataInvalid, match=sentence):
        [*folds(rows(), count, repeats, 42)]


def test_a_fold_that_lacks_a_class_because_of_large_groups_is_an_error() -> None:
    """Five groups have the class, but only two of them have the other class."""
    target = [0] * 5 + [1] * 40
    group = ["a", "b", "c", "d", "e", *["a"] * 20, *["b"] * 18, "c", "c"]
    frame = sugar().head(45).assign(target=target)
    with pytest.raises(DataInvalid, match=r"(class 1 has only 3 groups|a fold has no row of class)"):
        [*folds(search_rows(frame, BINARY, group), 4, 1, 42)]


@pytest.mark.parametrize(
    ("name", "patience"),
    [("XGBoost", 5), ("LightGBM", 5), ("XGBoost", None), ("RandomForest", 5), ("LogisticRegression", 5)],
)
def test_the_value_is_recomputed_from_its_parameters_and_the_rounds_of_its_folds(
    name: str, patience: int | None
) -> None:
    """Within 1e-9, on newly prepared folds."""
    trees = {"n_estimators": 40} if "n_estimators" in whole(name) else {}
    rows = search_rows(cells(), BINARY)
    outcome = scheme(name, rows).outcome(whole(name, **trees), goals(), patience)
    again = scheme(name, rows).again(outcome.parameters, goals(), outcome.fold_rounds)
    assert again["roc_auc"] == pytest.approx(outcome.measures["roc_auc"], abs=1e-9)
    assert len(outcome.fold_rounds) == (0 if name == "LogisticRegression" else 4)
    if outcome.stopped_early:
        assert outcome.parameters["n_estimators"] == outcome.rounds == typical(outcome.fold_rounds)
        assert len(set(outcome.fold_rounds)) > 1
    assert outcome.stopped_early == (patience is not None and name in ("XGBoost", "LightGBM"))


@pytest.mark.parametrize(
    ("kind", "load", "score"),
    [("multiclass_classification", load_iris, "f1_weighted"), ("regression", load_diabetes, "rmse")],
)
def test_every_problem_type_is_evaluated_on_folds(kind: Any, load: Any, score: str) -> None:
    frame, asked = shuffled(load(as_frame=True).frame), goals(kind, score)
    evaluation = scheme("XGBoost", search_rows(frame, kind))
    outcome = evaluation.outcome(whole("XGBoost", n_estimators=30), asked, 5)
    assert evaluation.again(outcome.parameters, asked, outcome.fold_rounds) == pytest.approx(outcome.measures, abs=1e-9)


def test_a_value_is_the_mean_over_the_folds() -> None:
    judged = scheme("LogisticRegression", search_rows(cells(), BINARY))
    singly = [OnFolds((one,)).outcome(whole("LogisticRegression"), goals(), None) for one in judged.fit_contexts]
    outcome = judged.outcome(whole("LogisticRegression"), goals(), None)
    assert outcome.measures["roc_auc"] == pytest.approx(np.mean([one.measures["roc_auc"] for one in singly]), abs=1e-12)


def test_preprocessing_is_fitted_on_the_train_part_of_the_fold_only() -> None:
    """A value that only held-out rows have does not change the scaling."""
    frame = cells()
    evaluation = scheme("LogisticRegression", search_rows(frame, BINARY))
    parts = [*folds(search_rows(frame, BINARY), 4, 1, 42)]
    for one, fold in zip(evaluation.fit_contexts, parts, strict=True):
        numeric = one.preparation.columns.named_transformers_["numeric"]
        np.testing.assert_allclose(numeric[-1].mean_, fold.train.features.mean().to_numpy(), rtol=1e-9)


def test_rounds_for_another_number_of_folds_are_an_error() -> None:
    judged = scheme("XGBoost", search_rows(cells(), BINARY))
    with pytest.raises(E2iError, match="rounds of 3 folds, but the study has 4"):
        judged.again(whole("XGBoost"), goals(), [5, 6, 7])


@pytest.mark.parametrize("reporting", ["mean", "each"])
def test_a_report_is_the_mean_so_far_or_the_fold_alone_and_the_last_fold_is_not_reported(reporting: str) -> None:
    evaluation = scheme("LogisticRegression", search_rows(cells(), BINARY), reporting=reporting)
    singly = [OnFolds((one,)).outcome(whole("LogisticRegression"), goals(), None) for one in evaluation.fit_contexts]
    values = [one.measures["roc_auc"] for one in singly]
    seen: dict[int, float] = {}
    evaluation.outcome(whole("LogisticRegression"), goals(), None, seen.__setitem__)
    expected = values if reporting == "each" else [np.mean(values[: step + 1]) for step in range(4)]
    assert seen == pytest.approx(dict(zip((1, 2, 3), expected, strict=False)))


def test_a_fold_without_a_finite_value_fails_the_trial_and_is_named() -> None:
    calls = itertools.count()
    odd = Metric("odd", True, "scores", lambda y_true, scores: math.nan if next(calls) == 2 else 0.5)
    evaluation = scheme("LogisticRegression", search_rows(cells(), BINARY))
    with pytest.raises(E2iError, match="fold 3: odd"):
        evaluation.outcome(whole("LogisticRegression"), [metric_goal(odd)], None)


@pytest.mark.parametrize(("rounds", "kept"), [((), None), ((7,), 7), ((10, 12, 400), 12), ((10, 13), 12), ((1, 1), 1)])
def test_one_fold_with_many_rounds_does_not_decide_the_rounds(rounds: tuple[int, ...], kept: int | None) -> None:
    assert typical(rounds) == kept


SPACE = parse_space({"C": {"low": 1e-4, "high": 10.0, "log": True}})


def few_cells() -> SearchRows:
    """Return rows with four features: a study fits more than a hundred models on them."""
    columns = ["mean texture", "mean smoothness", "mean area", "worst concavity", "target"]
    return search_rows(cells(120)[columns], BINARY)


def studied(pruner: str, trials: int = 12, folds_of_one: int = 5, repeats: int = 1) -> tuple[Any, list[int]]:
    """Return a study on folds, and how often a fold was evaluated."""
    calls: list[int] = []
    true = metric("log_loss", BINARY)

    def counted(y_true: Any, scores: Any) -> float:
        calls.append(len(y_true))
        return float(true.function(y_true, scores))

    algorithm = registry.algorithm("LogisticRegression")
    reporting = "each" if pruner == "wilcoxon" else "mean"
    evaluation = scheme("LogisticRegression", few_cells(), folds_of_one, repeats, reporting)

    def until(deadline: float) -> Objective:
        return Objective(
            scheme=evaluation,
            goals=(metric_goal(replace(true, function=counted)),),
            space=SPACE,
            defaults=algorithm.default_values,
            fixed=algorithm.fixed_values,
            patience=None,
            deadline=deadline,
        )

    plan = StudyPlan("study", trials, None, "random", pruner, 42)
    return search(until, plan, optuna.storages.InMemoryStorage()), calls


@pytest.mark.parametrize("name", PRUNERS)
def test_every_named_pruner_works_with_folds(name: str) -> None:
    """The budget is met, no trial fails, and every completed trial was evaluated on all folds."""
    result, calls = studied(name, 12, repeats=2)
    assert (len(result.trials), result.count("FAIL")) == (12, 0)
    evaluated_folds = 10  # the evaluation of the defaults
    for trial in result.trials:
        steps = len(trial.intermediate_values)
        assert list(trial.intermediate_values) == list(range(1, steps + 1))
        assert steps == 9 if trial.state == "COMPLETE" else steps < 10
        evaluated_folds += 10 if trial.state == "COMPLETE" else steps
    assert len(calls) == evaluated_folds
    assert (result.count("PRUNED") > 0) == (name != "none")


def test_the_wilcoxon_pruner_saves_fits_and_finds_the_same_best() -> None:
    pruned, with_it = studied("wilcoxon", 14, repeats=2)
    full, without = studied("none", 14, repeats=2)
    assert len(without) == 10 * 15
    assert len(with_it) < 0.8 * len(without)
    assert pruned.best.sampled == full.best.sampled
    assert pruned.best.value == full.best.value


def test_a_study_recomputes_its_best_trial_on_folds() -> None:
    result, _ = studied("median")
    evaluation = scheme("LogisticRegression", few_cells(), 5)
    goal = metric_goal(metric("log_loss", BINARY))
    again = evaluation.again(result.best.params, [goal], result.best.fold_rounds)
    assert goal.oriented(again["log_loss"]) == pytest.approx(result.best.value, abs=1e-9)


def test_no_test_or_holdout_row_can_reach_a_fold() -> None:
    """The input of the fold function has no field for test or holdout rows."""
    assert set(SearchRows.__dataclass_fields__) == {"facts", "train", "validation", "groups"}
