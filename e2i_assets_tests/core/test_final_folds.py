"""The mean of fold models: it is one model, and no figure for a row comes from a model that has learnt from it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from final_models import experiment, predictions, rows, training
from fitted_models import EACH_ONCE
from small_training import Names, problem, rows_of, searched

from e2i_assets.adapters.mlflow.models import load_model, save_model
from e2i_assets.core.algorithms import registry
from e2i_assets.core.data.folds import folds
from e2i_assets.core.data.split_tables import SplitFacts, TrainingRows
from e2i_assets.core.errors import DataInvalid, ExperimentInvalid
from e2i_assets.core.evaluation.evaluation import split_metrics
from e2i_assets.core.evaluation.thresholds import youden_threshold
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.fit_context import Rows, fit_context, target_codes
from e2i_assets.core.fitting.fitted_model import FittedModel
from e2i_assets.core.fitting.reasons import contributions
from e2i_assets.core.fold_fit import final_folds
from e2i_assets.core.imbalance import STRATEGIES
from e2i_assets.core.metrics import Prediction
from e2i_assets.core.plots.training import validation_importance
from e2i_assets.core.report import findings
from e2i_assets.core.report.facts import ReportFacts
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study_output import hpo_output
from e2i_assets.core.training import trained
from e2i_assets.core.training_record import TrainingRecord, TrainingStart

EXPLAINED = ("XGBoost", "LightGBM", "CatBoost", "LogisticRegression", "Ridge", "Lasso")
BINARY = "binary_classification"


def folded(algorithm: str, problem_type: str, repeats: int = 1, **sections: Any) -> Experiment:
    hpo = {"enabled": False, "folds": 3, "repeats": repeats}
    few = {"n_estimators": 12} if "n_estimators" in registry.algorithm(algorithm).parameters else {}
    return experiment(algorithm, problem_type, final_model="folds", hpo=hpo, fixed=few, **sections)


def grouped(problem_type: str, **options: Any) -> TrainingRows:
    """The same rows with the person of each, who has two rows."""
    given = rows(problem_type, **options)
    entities = [part.entities for part in (given.train, given.validation)]
    people = pd.DataFrame({"person": np.concatenate(entities)})
    return TrainingRows(given.facts, given.train, given.validation, given.test, groups=people)


def by_hand(of: Experiment, given: TrainingRows) -> list[tuple[FittedModel, Rows, Rows]]:
    """Each fold model with the rows that it has learnt from, and those that it has not."""
    algorithm, made = registry.algorithm(of.algorithm), []
    treated = tuning.balancing(of, given.facts, given.train)
    parameters = {**tuning.defaults(of), **tuning.fixed(of)}
    for fold in folds(given.searched, of.hpo.folds, of.hpo.repeats, of.hpo.seed):
        context = fit_context(
            algorithm, given.facts.task, fold.train, fold.held_out, given.facts.classes, balancing=treated
        )
        made.append((context.model(context.fit(parameters, tuning.patience(of))), fold.train, fold.held_out))
    return made


def mean(models: list[FittedModel], features: pd.DataFrame) -> Any:
    """The mean of values, of log-odds where columns contribute to them, or else of probabilities."""
    found = [predictions(one, features) for one in models]
    if models[0].classes_ is None or type(models[0].estimator).__name__.startswith(("RandomF", "ExtraT", "Gradient")):
        return np.mean(found, axis=0)
    scores = np.exp(np.mean([np.log(one) for one in found], axis=0))
    return scores / scores.sum(axis=1, keepdims=True)


def concatenated(facts: SplitFacts, pairs: list[tuple[FittedModel, Rows]]) -> tuple[Any, Prediction]:
    truth = np.concatenate([target_codes(of.target, facts.classes) for _, of in pairs])
    found = np.concatenate([predictions(model, of.features) for model, of in pairs])
    return truth, Prediction(found.argmax(axis=1), found) if facts.classes else Prediction(found)


@pytest.mark.parametrize(("algorithm", "problem_type"), EACH_ONCE)
def test_the_model_is_the_mean_of_fold_models_and_is_evaluated_out_of_fold(
    algorithm: str, problem_type: str, tmp_path: Path
) -> None:
    given, of = grouped(problem_type), folded(algorithm, problem_type)
    found, expected = training(of, given), by_hand(of, given)
    features = given.test.features
    np.testing.assert_allclose(
        predictions(found.model, features), mean([model for model, _, _ in expected], features), rtol=1e-5, atol=1e-6
    )
    truth, unseen = concatenated(given.facts, [(model, held_out) for model, _, held_out in expected])
    threshold = youden_threshold(truth, unseen.scores) if problem_type == BINARY else None
    assert found.report.threshold == found.model.threshold == threshold
    metrics = split_metrics(problem_type, truth, unseen, threshold)
    assert {name: found.report.splits["validation"].metrics[name] for name in metrics} == pytest.approx(metrics)
    assert found.report.splits["validation"].n_rows == found.report.splits["train"].n_rows == 320
    assert found.report.splits["train"].metrics != found.report.splits["validation"].metrics
    assert (found.samples, found.final_model, len(found.unseen)) == (320, "folds", 3)
    assert found.learnt_from == found.imbalance.class_distribution
    test = target_codes(given.test.target, given.facts.classes)
    served = target_codes(pd.Series(found.model.predict(features)), given.facts.classes)
    if problem_type != "regression":
        assert found.report.splits["test"].metrics["accuracy"] == pytest.approx((served == test).mean())
    if algorithm in EXPLAINED:
        assert contributions(found.model, features).values.shape[:2] == (80, 6)
    save_model(found.model, tmp_path)
    assert np.array_equal(predictions(load_model(tmp_path), features), predictions(found.model, features))
    assert np.array_equal(load_model(tmp_path).predict(features), found.model.predict(features))


def test_no_person_is_learnt_from_and_predicted_by_one_fold_model() -> None:
    given = grouped(BINARY)
    parts = list(final_folds(folded("LightGBM", BINARY), given.searched))
    for fold in parts:
        assert fold.train.entities is not None
        assert fold.held_out.entities is not None
        assert not set(fold.train.entities) & set(fold.held_out.entities)
    found = training(folded("LightGBM", BINARY), given)
    for (_, unseen), fold in zip(found.unseen, parts, strict=True):
        assert unseen.features.equals(fold.held_out.features)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("weighted", [pytest.param(False, marks=pytest.mark.drill), True])
def test_each_fold_weighs_and_resamples_its_own_rows(strategy: str, weighted: bool) -> None:
    given = grouped(BINARY, weighted=weighted, uneven=True)
    of = folded("LightGBM", BINARY, imbalance=strategy)
    found, expected = training(of, given), by_hand(of, given)
    features = given.test.features
    assert found.strategy == strategy
    np.testing.assert_allclose(
        found.model.predict_proba(features), mean([model for model, _, _ in expected], features), atol=1e-9
    )
    assert (sum(found.learnt_from.values()) == 320) == (strategy in ("none", "class_weight"))
    weights = None if not weighted else np.concatenate([held_out.weights for _, _, held_out in expected])
    truth, unseen = concatenated(given.facts, [(model, held_out) for model, _, held_out in expected])
    metrics = split_metrics(BINARY, truth, unseen, youden_threshold(truth, unseen.scores, weights), weights=weights)
    shown = found.report.splits["validation"].metrics
    assert {name: shown[name] for name in metrics} == pytest.approx(metrics)


def test_the_folds_are_those_of_the_best_trial_of_a_search_on_folds() -> None:
    """Its rounds are had again, and the mean of its folds is the value of the study."""
    hpo = ", objective: cross_validation, folds: 3, repeats: 2"
    of, given = problem(Names(), BINARY, "LightGBM", hpo), rows_of(Names(), BINARY)
    of = of.model_copy(update={"final_model": "folds"})
    study = searched(of, given)
    found = trained(of, given, hpo_output(of, "a" * 64, study))
    assert study.best is not None
    assert found.parameters == study.best.params
    assert found.fold_rounds == study.best.fold_rounds
    assert len(found.fold_rounds) == 6
    values = []
    for model, unseen in found.unseen:
        truth, prediction = concatenated(given.facts, [(model, unseen)])
        values.append(split_metrics(BINARY, truth, prediction)["roc_auc"])
    assert np.mean(values) == pytest.approx(study.best.value, abs=1e-9)
    assert found.report.splits["validation"].n_rows == found.samples == 320  # a row of two repetitions counts once
    again = trained(of, given, hpo_output(of, "a" * 64, study))
    assert again.report == found.report


def test_the_defaults_are_compared_as_the_mean_of_fold_models() -> None:
    found = training(folded("XGBoost", "regression"), grouped("regression"))
    assert found.default_metrics == found.report.splits["test"].metrics


def test_the_importance_is_the_mean_over_the_folds() -> None:
    given, of = grouped("regression"), folded("Ridge", "regression")
    whole = training(of, given)
    found = {one.feature: one.loss for one in validation_importance(of, given, whole)}
    assert found.keys() == {*given.facts.features}
    alone = []
    for pair in whole.unseen:
        of_fold = replace(whole, unseen=(pair,))
        alone.append({one.feature: one.loss for one in validation_importance(of, given, of_fold)})
    for name, loss in found.items():
        assert loss == pytest.approx(np.mean([one[name] for one in alone]))


def test_the_report_says_whose_figures_it_shows() -> None:
    given, of = grouped("regression"), folded("XGBoost", "regression")
    output = hpo_output(of, "a" * 64, None)
    start = TrainingStart(of, given.facts, output, "1", "", datetime(2026, 1, 2, tzinfo=UTC))
    record = TrainingRecord(start, trained(of, given, output), None, (), {}, {}, {}, Path("model"), "model")
    shown = ReportFacts(record, [], missing=[], made_at=start.started_at)
    said = findings.learnt_from(shown)
    assert said.startswith("The final model learnt from 320 train and validation rows, as the mean of fold models. ")
    assert "It has 3 of them, of " in said
    assert "on the train and validation rows, each predicted by" in findings.validation_against_test(shown)


@pytest.mark.parametrize(
    ("sections", "mistake"),
    [
        ({"columns": {"time": "day"}}, "final_model: 'folds' would learn from rows that are later than those"),
        ({"hpo": {"constraints": {"model_size": 50_000}}}, "final_model: 'folds' is not the model on which"),
    ],
)
def test_folds_are_refused_where_they_make_no_sense(sections: dict[str, Any], mistake: str) -> None:
    with pytest.raises(ExperimentInvalid) as caught:
        experiment("XGBoost", "regression", final_model="folds", **sections)
    assert mistake in str(caught.value)
    assert "choose" in str(caught.value)


def test_a_class_with_too_few_rows_for_the_folds_is_refused_with_what_to_set() -> None:
    given = rows(BINARY)
    few = pd.Series(np.arange(240) < 1, index=given.train.target.index)
    none = pd.Series(np.arange(80) < 1, index=given.validation.target.index)
    given = TrainingRows(
        given.facts, Rows(given.train.features, few), Rows(given.validation.features, none), given.test
    )
    with pytest.raises(DataInvalid, match=r"class True has only 2 rows; set hpo\.folds: 2 or fewer, or set final"):
        training(folded("XGBoost", BINARY), given)
