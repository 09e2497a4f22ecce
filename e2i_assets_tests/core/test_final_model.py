"""What the final model learns from, and that no figure on validation rows comes from a model that has seen them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from final_models import experiment, predictions, rows, training
from fitted_models import EACH_ONCE, table, target
from small_training import Names, problem, rows_of, searched

from e2i_assets.adapters.files.parquet_rows import StoredRows
from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.prepared_data import Task
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.errors import E2iError, ExperimentInvalid
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.fit_context import Rows, fit_context
from e2i_assets.core.fitting.fitted_model import FittedModel
from e2i_assets.core.fitting.joined_rows import JoinedRows
from e2i_assets.core.imbalance import STRATEGIES
from e2i_assets.core.plots.training import validation_importance
from e2i_assets.core.search import tuning
from e2i_assets.core.search.final_model_choice import used_final_model
from e2i_assets.core.search.study_output import hpo_output
from e2i_assets.core.training import trained


def by_hand(of: Experiment, given: TrainingRows, parameters: dict[str, Any]) -> FittedModel:
    """Return the model that one table of train and validation rows gives, with these parameters and rounds."""
    both = given.train, given.validation
    weights = None if given.train.weights is None else np.concatenate([part.weights for part in both])
    one = Rows(
        pd.concat([part.features for part in both], ignore_index=True),
        pd.concat([part.target for part in both], ignore_index=True),
        np.concatenate([part.entities for part in both]),
        weights,
    )
    treated = tuning.balancing(of, given.facts, given.train)
    chosen = registry.algorithm(of.algorithm)
    made = fit_context(chosen, given.facts.task, one, given.test, given.facts.classes, balancing=treated)
    return made.model(made.fit(parameters))


@pytest.mark.parametrize(("algorithm", "problem_type"), EACH_ONCE)
def test_a_refit_learns_from_train_and_validation_and_is_measured_as_in_its_trial(
    algorithm: str, problem_type: str
) -> None:
    given = rows(problem_type)
    alone, refit = (
        training(experiment(algorithm, problem_type, final_model=kind), given) for kind in ("train_only", "refit")
    )
    assert (alone.samples, refit.samples) == (240, 320)
    assert sum(refit.imbalance.class_distribution.values()) == (0 if problem_type == "regression" else 320)
    assert refit.learnt_from == refit.imbalance.class_distribution
    # The rounds are carried over: no row is left for early stopping.
    assert (refit.parameters, refit.rounds) == (alone.parameters, alone.rounds)
    assert refit.report.threshold == alone.report.threshold
    for split in ("train", "validation"):
        assert refit.report.splits[split] == alone.report.splits[split]
    found = predictions(refit.model, given.test.features)
    asked = experiment(algorithm, problem_type)
    assert np.array_equal(found, predictions(by_hand(asked, given, refit.parameters), given.test.features))
    assert not np.array_equal(found, predictions(alone.model, given.test.features))
    for one in (alone, refit):
        ((trial_model, _),) = one.unseen
        same = predictions(trial_model, given.validation.features)
        assert np.array_equal(same, predictions(alone.model, given.validation.features))
    assert refit.model.threshold == refit.report.threshold
    assert validation_importance(asked, given, refit) == validation_importance(asked, given, alone)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("weighted", [pytest.param(False, marks=pytest.mark.drill), True])
def test_a_refit_weighs_and_resamples_its_own_rows(strategy: str, weighted: bool) -> None:
    given = rows("binary_classification", weighted, uneven=True)
    of = experiment("LightGBM", "binary_classification", imbalance=strategy)
    refit = training(of, given)
    assert refit.final_model == "refit"
    expected = by_hand(of, given, refit.parameters)
    assert np.array_equal(refit.model.predict_proba(given.test.features), expected.predict_proba(given.test.features))
    assert refit.strategy == strategy
    assert (sum(refit.learnt_from.values()) == 320) == (strategy in ("none", "class_weight"))


def test_the_treatment_of_imbalance_is_the_one_of_the_search() -> None:
    """With the validation rows, another strategy would be recommended; the model that was tuned has none."""
    given = rows("binary_classification")
    even = pd.Series(np.arange(240) % 2 == 0)
    uneven = pd.Series(np.arange(80) < 1, index=given.validation.target.index)
    given = TrainingRows(
        given.facts, Rows(given.train.features, even), Rows(given.validation.features, uneven), given.test
    )
    refit = training(experiment("XGBoost", "binary_classification", imbalance="recommended"), given)
    assert (refit.strategy, refit.imbalance.recommended) == ("none", "class_weight")


@pytest.mark.parametrize("algorithm", ["LightGBM", "LogisticRegression"])
def test_the_validation_metrics_of_a_refit_are_those_of_the_best_trial(algorithm: str) -> None:
    of, given = problem(Names(), "binary_classification", algorithm, ""), rows_of(Names(), "binary_classification")
    study = searched(of, given)
    refit = trained(of, given, hpo_output(of, "a" * 64, study))
    assert study.best is not None
    assert refit.final_model == "refit"
    assert refit.parameters == study.best.params
    assert refit.report.splits["validation"].metrics["roc_auc"] == pytest.approx(study.best.value, abs=1e-9)
    assert refit.samples == len(given.train.target) + len(given.validation.target)


def test_the_defaults_are_compared_on_the_same_rows_as_the_tuned_parameters() -> None:
    """Without a search both are the defaults, so their metrics on test are equal, whatever they learnt from."""
    for kind in ("train_only", "refit"):
        found = training(experiment("XGBoost", "regression", final_model=kind), rows("regression"))
        assert found.default_metrics == found.report.splits["test"].metrics


def test_a_class_that_only_validation_has_is_learnt_by_a_refit() -> None:
    given = rows("multiclass_classification")
    known = (given.train.target != "mid").to_numpy()
    part = Rows(given.train.features[known], given.train.target[known])
    given = TrainingRows(given.facts, part, given.validation, given.test)
    place = given.facts.classes.index("mid")
    for kind, is_known in (("train_only", False), ("refit", True)):
        found = training(experiment("LightGBM", "multiclass_classification", final_model=kind), given)
        assert (found.model.predict_proba(given.test.features)[:, place].max() > 0.01) == is_known


def stored(frame: pd.DataFrame, values: pd.Series, path: Path) -> StoredRows:
    frame.assign(target=values, person=np.arange(len(frame)) // 2, weight=1.0 + np.arange(len(frame))).to_parquet(path)
    return StoredRows(path, list(frame.columns), "target", ["person"], "weight")


@pytest.mark.parametrize("algorithm", ["LightGBM", "XGBoost", "RandomForest", "LogisticRegression"])
def test_joined_files_give_the_fit_of_one_table(algorithm: str, tmp_path: Path) -> None:
    """Also where the parts have other types: gaps among booleans, and categories that one part lacks."""
    frame = table(320).assign(plan=pd.Categorical(np.arange(320) % 60).astype(str))
    frame["plan"] = frame["plan"].astype("category")
    frame["insured"] = frame["insured"].astype(object)
    frame.loc[[250, 300], "insured"] = None
    values = target(frame, "binary_classification")
    train, validation = frame[:240].copy(), frame[240:].copy()
    train["insured"] = train["insured"].astype(bool)
    train["region"], validation["region"] = train["region"].astype("category"), validation["region"].astype("category")
    joined = JoinedRows(
        stored(train, values[:240], tmp_path / "train.parquet"),
        stored(validation, values[240:], tmp_path / "validation.parquet"),
    )
    weights = np.concatenate([1.0 + np.arange(240), 1.0 + np.arange(80)])
    frame["region"] = frame["region"].astype("category")
    people = np.concatenate([np.arange(240) // 2, 120 + np.arange(80) // 2])
    one = Rows(frame, values, people, weights)
    chosen, task = registry.algorithm(algorithm), Task("binary_classification", 2)
    few = {"n_estimators": 30} if "n_estimators" in chosen.parameters else {}
    models = []
    for learnt in (joined, one):
        made = fit_context(chosen, task, learnt, None, (False, True))
        models.append(made.model(made.fit({**chosen.default_values, **few, **chosen.fixed_values})))
    assert models[0].column_kinds == models[1].column_kinds
    assert np.array_equal(models[0].predict_proba(frame), models[1].predict_proba(frame))
    assert joined.can_be_read_again
    assert joined.entities is not None
    assert len(set(joined.entities)) == 160
    assert joined.weights is not None
    assert joined.weights.tolist() == weights.tolist()
    assert joined.target.tolist() == values.tolist()
    assert list(joined.features.columns) == list(frame.columns)


def test_the_first_day_of_a_refit_is_the_first_of_all_its_rows() -> None:
    given = rows("regression")
    early = given.validation.features
    early = early.assign(seen=pd.Series(pd.Timestamp("2001-02-03"), early.index, dtype=early["seen"].dtype))
    given = TrainingRows(given.facts, given.train, Rows(early, given.validation.target), given.test)
    alone, refit = (
        training(experiment("Ridge", "regression", final_model=kind), given) for kind in ("train_only", "refit")
    )
    assert refit.model.dates["seen"]["first_day"] == "2001-02-03"
    assert alone.model.dates["seen"]["first_day"] > "2025"


def test_a_fit_without_validation_rows_cannot_stop_early() -> None:
    given = rows("regression")
    chosen = registry.algorithm("XGBoost")
    made = fit_context(chosen, Task("regression"), given.train, None, ())
    with pytest.raises(E2iError, match="without validation rows has no early stopping"):
        made.fit({**chosen.default_values, **chosen.fixed_values}, patience=5)


TREES: dict[str, Any] = {"algorithm": "XGBoost"}
FEW = rows("regression").facts.model_copy(update={"foldable": True})


@pytest.mark.parametrize(
    ("of", "found"),
    [
        (TREES, "folds"),
        ({"algorithm": "LightGBM"}, "folds"),
        ({**TREES, "final_model": "refit"}, "refit"),
        ({**TREES, "final_model": "train_only"}, "train_only"),
        ({"algorithm": "Ridge"}, "refit"),
        ({"algorithm": "HistGradientBoosting"}, "refit"),
        ({**TREES, "early_stopping": {"enabled": False}}, "refit"),
        ({**TREES, "loss": "poisson"}, "refit"),
        ({**TREES, "hpo": {"objectives": [{"name": "prediction_time"}]}}, "refit"),
        ({**TREES, "hpo": {"objectives": [{"name": "mae"}]}}, "folds"),
        ({**TREES, "hpo": {"constraints": {"model_size": 50_000}}}, "train_only"),
    ],
)
def test_by_default_boosted_trees_that_stop_early_are_the_mean_of_fold_models(of: dict[str, Any], found: str) -> None:
    assert used_final_model(experiment(problem_type="regression", **of), FEW) == found


def test_by_default_rows_that_were_split_by_an_earlier_release_are_refitted() -> None:
    assert used_final_model(experiment("XGBoost", "regression"), rows("regression").facts) == "refit"


def test_a_final_model_on_which_limits_were_not_measured_is_refused() -> None:
    limited = {"constraints": {"model_size": 50_000}}
    with pytest.raises(ExperimentInvalid) as caught:
        experiment("XGBoost", "regression", hpo=limited, final_model="refit")
    assert "final_model: 'refit' is not the model" in str(caught.value)
    assert "hpo.constraints" in str(caught.value)
