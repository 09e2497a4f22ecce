"""The loss of a regression: what its fits predict, its metrics, the explanations, and what is refused."""

from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest

from e2i_assets.adapters.mlflow.models import load_model, save_model
from e2i_assets.core.algorithms import registry
from e2i_assets.core.data.dataset import dataset_of
from e2i_assets.core.data.split_tables import SplitFacts, TrainingRows
from e2i_assets.core.errors import DataInvalid, E2iError, ExperimentInvalid
from e2i_assets.core.evaluation.evaluation import split_evaluation
from e2i_assets.core.evaluation.intervals import bootstrap_intervals
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.fitting.fit_context import Rows
from e2i_assets.core.fitting.fitted_model import FittedModel
from e2i_assets.core.fitting.reasons import NotExplained, contributions
from e2i_assets.core.fold_fit import fitted_on_folds
from e2i_assets.core.losses import Loss, LossName, row_losses
from e2i_assets.core.metrics import Array, Prediction, metric
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study_output import hpo_output
from e2i_assets.core.training import trained
from e2i_assets.services.pattern_row import kind_metric

REGRESSION = "regression"
LOG_LINKS = ("poisson", "gamma", "tweedie")
OTHERS: tuple[LossName, ...] = tuple(name for name in get_args(LossName) if name != "squared_error")
PAIRS = [(name, loss) for loss in OTHERS for name in registry.able(REGRESSION, loss=loss)]
SHARES = {"train": 1500, "validation": 400, "test": 1100}


def experiment(algorithm: Any = "LightGBM", **keys: Any) -> Experiment:
    given: dict[str, Any] = {
        "name": "small",
        "owner": "team:tests",
        "source": {"csv": "rows.csv"},
        "target": "target",
        "problem_type": REGRESSION,
        "algorithm": algorithm,
        "hpo": {"enabled": False},
    }
    return experiment_from({**given, **keys}, "small")


def of_loss(algorithm: Any, loss: str, **keys: Any) -> Experiment:
    level = {"quantile": 0.9} if loss == "quantile" else {}
    return experiment(
        algorithm, loss=loss, **level, fixed={"n_estimators": 60, "learning_rate": 0.08, "max_depth": 3}, **keys
    )


def mean_of(frame: pd.DataFrame) -> Array:
    """The true mean, far above its spread over the features: a target without its zero would be another one."""
    return np.asarray(np.exp(3 + 0.8 * frame["dose"] + 0.5 * (frame["town"] == "north")))


@cache
def rows(loss: str) -> TrainingRows:
    """Rows whose target has a mean that is a product of the effects, and the distribution of the loss."""
    draws, n = np.random.default_rng(7), sum(SHARES.values())
    frame = pd.DataFrame({"dose": draws.uniform(-1, 1, n), "town": draws.choice(["north", "south"], n)})
    mean = mean_of(frame)
    target = {
        "poisson": lambda: draws.poisson(mean).astype(float),
        "gamma": lambda: mean * draws.gamma(4, 1 / 4, n),
        # Many exact zeros beside positive amounts.
        "tweedie": lambda: mean * np.array([draws.gamma(2, 1 / 2, k).sum() for k in draws.poisson(1, n)]),
        # The median is the mean of the others; its own mean is 1.6 times that.
        "absolute_error": lambda: mean * np.exp(draws.normal(size=n)),
        "quantile": lambda: mean * np.exp(draws.normal(size=n)),
    }[loss]()
    facts = SplitFacts(
        experiment="small", problem_type=REGRESSION, target="target", features=("dose", "town"), classes=(),
        data_hash="d", split_hash="e", search_hash="f", strategy="random", seed=42, counts={}, left_out=0,
    )  # fmt: skip
    starts = np.cumsum([0, *SHARES.values()])
    parts = [slice(starts[k], starts[k + 1]) for k in range(3)]
    return TrainingRows(facts, *(Rows(frame[at], pd.Series(target)[at]) for at in parts))


def model_of(of: Experiment, given: TrainingRows) -> FittedModel:
    context = tuning.experiment_fit_context(of, given.facts, given.train, given.validation)
    return context.model(context.fit({**of.default_parameters(), **of.fixed_parameters()}))


def folds_of(loss: str) -> Any:
    of = of_loss("XGBoost", loss, final_model="folds", hpo={"enabled": False, "folds": 2})
    return fitted_on_folds(of, rows(loss), hpo_output(of, "a" * 64, None)).model


@cache
def model(algorithm: str, loss: str) -> FittedModel:
    return model_of(of_loss(algorithm, loss), rows(loss))


@pytest.mark.parametrize(("algorithm", "loss"), PAIRS)
def test_a_model_predicts_what_its_loss_targets(algorithm: str, loss: str) -> None:
    test = rows(loss).test
    found, mean = model(algorithm, loss).predict(test.features), mean_of(test.features)
    if loss in LOG_LINKS:
        assert found.min() > 0
        assert found.sum() == pytest.approx(mean.sum(), rel=0.06)
        assert np.median(np.abs(np.log(found / mean))) < 0.15
    else:
        below = {"absolute_error": 0.5, "quantile": 0.9}[loss]
        assert np.mean(test.target <= found) == pytest.approx(below, abs=0.06 if below == 0.5 else 0.03)
        factor = {"absolute_error": 1.0, "quantile": np.exp(1.2816)}[loss]
        assert np.median(found / mean) == pytest.approx(factor, rel=0.15)


@pytest.mark.parametrize("algorithm", ["LightGBM", "XGBoost"])
def test_the_unit_of_the_target_has_no_effect_and_its_zero_stays(algorithm: str) -> None:
    given, of = rows("tweedie"), of_loss(algorithm, "tweedie")
    parts = [Rows(one.features, one.target * 1000) for one in (given.train, given.validation, given.test)]
    found = model_of(of, TrainingRows(given.facts, *parts))
    expected = model(algorithm, "tweedie").predict(given.test.features)
    assert found.predict(given.test.features) / 1000 == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("loss", ["poisson", "quantile"])
@pytest.mark.parametrize("algorithm", ["LightGBM", "XGBoost", "HistGradientBoosting"])
def test_early_stopping_watches_the_loss(algorithm: str, loss: str) -> None:
    of, given, patience = of_loss(algorithm, loss), rows(loss), 8
    context = tuning.experiment_fit_context(of, given.facts, given.train, given.validation)
    parameters = {**of.default_parameters(), **of.fixed_parameters(), "n_estimators": 400, "learning_rate": 0.2}
    rounds = context.fit(parameters, patience=patience).rounds
    assert rounds is not None
    longer = context.fit({**parameters, "n_estimators": rounds + patience})
    x, estimator = context.prepared_data.x_validation, longer.estimator
    staged = {
        "LightGBM": lambda: (estimator.predict(x, num_iteration=k + 1) for k in range(rounds + patience)),
        "XGBoost": lambda: (estimator.predict(x, iteration_range=(0, k + 1)) for k in range(rounds + patience)),
        "HistGradientBoosting": lambda: estimator.staged_predict(x),
    }[algorithm]()
    score = metric(of.metric, REGRESSION)
    found = [score.quick_score(context.y_validation, longer.unit.original(Prediction(one))) for one in staged]
    assert len(found) == rounds + patience
    assert found[rounds - 1] == pytest.approx(min(found), rel=1e-6)


@pytest.mark.parametrize(("algorithm", "loss"), PAIRS)
def test_a_model_is_stored_and_read_again(algorithm: str, loss: str, tmp_path: Path) -> None:
    found, features = model(algorithm, loss), rows(loss).test.features
    again = load_model(tmp_path, save_model(found, tmp_path))
    assert np.array_equal(again.predict(features), found.predict(features))


@pytest.mark.parametrize(("algorithm", "loss"), [pair for pair in PAIRS if pair[0] != "HistGradientBoosting"])
def test_the_effects_add_up_to_the_prediction_or_to_its_logarithm(algorithm: str, loss: str, tmp_path: Path) -> None:
    made, features = model(algorithm, loss), rows(loss).test.features
    save_model(made, tmp_path)
    for one in (made, load_model(tmp_path)):
        found = contributions(one, features)
        assert found.is_log == (loss in LOG_LINKS)
        total = np.exp(found.total[:, 0]) if found.is_log else found.total[:, 0]
        assert total == pytest.approx(made.predict(features), rel=1e-4)


def test_the_mean_of_fold_models_predicts_their_mean_and_is_explained_only_where_effects_add_up() -> None:
    counts, quantile = folds_of("poisson"), folds_of("quantile")
    features = rows("poisson").test.features
    assert counts.predict(features) == pytest.approx(np.mean([one.predict(features) for one in counts.models], axis=0))
    with pytest.raises(NotExplained, match="final_model: refit"):
        contributions(counts, features)
    assert contributions(quantile, features).total[:, 0] == pytest.approx(quantile.predict(features), rel=1e-4)


def test_the_metric_follows_the_loss_and_is_reported_with_its_interval() -> None:
    of = of_loss(
        "LightGBM", "quantile", success_criteria={"mean_pinball_loss_0.9": 1000, "minimum_lift_over_baseline": 0.05}
    )
    given = rows("quantile")
    done = trained(of, given, hpo_output(of, "a" * 64, None))
    assert of.metric == "mean_pinball_loss_0.9"
    assert set(done.report.splits["test"].metrics) == {"mse", "rmse", "mae", "mape", "r2", of.metric}
    inside = done.report.intervals[of.metric]
    assert inside.low < done.report.splits["test"].metrics[of.metric] < inside.high
    assert done.criteria_met
    # The baseline is the quantile and not the mean, which would be easy to beat.
    constant = np.full(len(given.test.target), np.quantile(given.train.target, 0.9))
    baseline = metric(of.metric, REGRESSION).score(given.test.target.to_numpy(), Prediction(constant))
    assert done.baseline_metrics[of.metric] == pytest.approx(baseline)
    assert done.gains["baseline"].is_clear


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        (Loss("poisson"), "mean_poisson_deviance"),
        (Loss("gamma"), "mean_gamma_deviance"),
        (Loss("tweedie"), "mean_tweedie_deviance"),
        (Loss("quantile", 0.9), "mean_pinball_loss_0.9"),
        (Loss("quantile", 0.025), "mean_pinball_loss_0.025"),
    ],
)
def test_the_metric_of_a_loss_is_scikit_learns_with_and_without_weights(loss: Loss, name: str) -> None:
    from sklearn import metrics

    draws = np.random.default_rng(1)
    y, predicted, weights = draws.gamma(2, 3, 300), draws.gamma(2, 3, 300), draws.uniform(0.1, 5, 300)
    options = {"alpha": loss.quantile} if loss.quantile else {"power": 1.5} if loss.name == "tweedie" else {}
    function = getattr(metrics, name.rpartition("_0.")[0] or name)
    assert loss.metric == name
    one = metric(name, REGRESSION)
    assert one.score(y, Prediction(predicted), weights) == function(y, predicted, sample_weight=weights, **options)
    assert one.quick_score(y, Prediction(predicted)) == pytest.approx(function(y, predicted, **options))
    assert np.average(row_losses(name, y, predicted), weights=weights) == pytest.approx(
        function(y, predicted, sample_weight=weights, **options)
    )


def test_a_deviance_of_predictions_that_are_not_above_0_is_an_error_and_never_a_number() -> None:
    y, low = np.array([1.0, 2.0, 0.0, 3.0]), Prediction(np.array([1.0, -2.0, 0.0, 3.0]))
    deviance = metric("mean_poisson_deviance", REGRESSION)
    for score in (deviance.score, deviance.quick_score):
        with pytest.raises(E2iError, match="mean_poisson_deviance is undefined: 2 of 4 predictions are not above 0"):
            score(y, low)
    names = ("mean_poisson_deviance", "mean_gamma_deviance")
    found = split_evaluation(REGRESSION, y, low, loss_metrics=names)
    assert not found.metrics.keys() & set(names)
    assert found.not_computable["mean_gamma_deviance"] == "1 of 4 true values are not above 0"
    assert not bootstrap_intervals(REGRESSION, y, low, loss_metrics=names, seed=1, n_resamples=20).keys() & set(names)


def test_the_loss_belongs_to_the_study_and_to_the_memory_and_changes_no_other_key() -> None:
    facts = rows("poisson").facts
    plain, *other = (
        experiment(metric="rmse", **keys)
        for keys in (
            {},
            {"loss": "poisson"},
            {"loss": "quantile", "quantile": 0.9},
            {"loss": "quantile", "quantile": 0.8},
        )
    )
    assert len({tuning.spec_hash(one, facts) for one in (plain, *other)}) == 4
    assert len({one.spec_hash for one in (plain, *other)}) == 4
    assert not {"loss", "quantile"} & plain.model_dump(mode="json").keys()
    assert kind_metric(plain) == "rmse"
    assert [kind_metric(one) for one in other] == ["rmse (poisson)", "rmse (quantile 0.9)", "rmse (quantile 0.8)"]
    again = experiment_from(other[1].model_dump(mode="json"), "small")
    assert again == other[1]


def test_auto_compares_the_algorithms_that_can() -> None:
    assert experiment("auto", hpo={}, loss="tweedie").contenders == ("LightGBM", "XGBoost")
    assert experiment("auto", hpo={}, loss="quantile", quantile=0.9).contenders == ("LightGBM", "XGBoost")
    assert "Ridge" in experiment("auto", hpo={}).contenders


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"loss": "poison"}, "did you mean 'poisson'"),
        ({"loss": "poisson", "algorithm": "Ridge"}, "is for LightGBM, XGBoost, HistGradientBoosting, not for Ridge"),
        ({"loss": "tweedie", "algorithm": ["LightGBM", "HistGradientBoosting"], "hpo": {}}, "for HistGradientBoosting"),
        ({"loss": "poisson", "problem_type": "binary_classification"}, "is for regression only"),
        ({"quantile": 0.9, "problem_type": "binary_classification"}, "quantile: 0.9 is for regression only"),
        ({"loss": "quantile"}, "needs the quantile to predict"),
        ({"loss": "absolute_error", "quantile": 0.9}, "has no effect with loss: absolute_error"),
        ({"loss": "quantile", "quantile": 1}, "must be less than 1"),
        ({"loss": "quantile", "quantile": 0.1234}, "at most three decimals"),
        ({"loss": "quantile", "quantile": 0.9, "columns": {"monotone": {"dose": "increasing"}}}, "no direction"),
        ({"metric": "mean_poisson_deviance"}, "needs predictions above 0: set loss: poisson, gamma or tweedie"),
        ({"metric": "mean_pinball_loss"}, "metric"),
        ({"success_criteria": {"mean_poisson_deviance": 2}}, "is reported only if"),
        ({"loss": "poisson", "success_criteria": {"maximum_mean_gamma_deviance": 2}}, "is mean_poisson_deviance"),
        ({"hpo": {"constraints": {"mean_gamma_deviance": 2}}}, "needs predictions above 0"),
    ],
)
def test_a_loss_without_an_effect_is_refused(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ExperimentInvalid, match=words):
        experiment(**keys)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"loss": "poisson"}, r"below 0 in 2 of 100 rows \(the lowest is -3\), but poisson needs values of at least 0"),
        ({"loss": "gamma"}, r"0 or less in 7 of 100 rows \(the lowest is -3\), but gamma needs values above 0"),
        ({"loss": "poisson", "metric": "mean_gamma_deviance"}, "0 or less in 7 of 100 rows.*mean_gamma_deviance needs"),
    ],
)
def test_a_target_that_the_loss_does_not_allow_is_refused_with_the_rows(keys: dict[str, Any], words: str) -> None:
    target = np.r_[-3.0, -1.0, np.zeros(5), np.arange(1, 94)]
    frame = pd.DataFrame({"dose": np.arange(100) % 7 + 0.5, "target": target})
    with pytest.raises(DataInvalid, match=words):
        dataset_of(frame, experiment(**keys))
    assert len(dataset_of(frame[7:], experiment(**keys)).frame) == 93
