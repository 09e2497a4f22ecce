"""The noise of a value: that of a mean over the rows, larger for rows of one entity, none if undefined."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from e2i_assets.core.data.split_tables import SearchRows, SplitFacts
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.core.fitting.fit_context import Rows
from e2i_assets.core.search import tuning
from e2i_assets.core.search.trials import TrialRecord
from e2i_assets.core.search.value_noise import value_noise

N = 400


def experiment(algorithm: str = "Ridge", metric: str = "mse", kind: str = "regression", **hpo: Any) -> Experiment:
    document = {
        **{"name": "visits", "owner": "team:t", "source": {"csv": "a.csv"}, "target": "y"},
        **{"problem_type": kind, "algorithm": algorithm, "metric": metric, "hpo": hpo},
    }
    return parse_experiment(yaml.safe_dump(document), "visits.yaml")


def rows(copies: int = 1, classes: tuple[Any, ...] = (), rare: int | None = None) -> SearchRows:
    """Train and validation rows; with copies, each validation row is there several times, as one entity."""
    random = np.random.default_rng(3)
    x = random.normal(size=(2 * N, 3))
    y = x[:, 0] + random.normal(size=2 * N)
    target = pd.Series(y if not classes else (y > 0).astype(int))
    if rare is not None:
        target[N:] = 0
        target[N : N + rare] = 1
    features = pd.DataFrame(x, columns=["a", "b", "c"])
    repeated = np.repeat(np.arange(N, 2 * N), copies)
    facts = SplitFacts(
        **{"experiment": "visits", "problem_type": "binary_classification" if classes else "regression"},
        **{"target": "y", "features": ("a", "b", "c"), "classes": classes, "strategy": "random", "seed": 1},
        **{"data_hash": "d", "split_hash": "s", "search_hash": "h", "counts": {}, "left_out": 0},
    )
    validation = Rows(
        features.iloc[repeated].reset_index(drop=True),
        target.iloc[repeated].reset_index(drop=True),
        repeated if copies > 1 else None,
    )
    return SearchRows(facts, Rows(features[:N], target[:N]), validation)


def trial(of: Experiment, found: SearchRows) -> TrialRecord:
    objective = tuning.objective(of, found)(math.inf)
    parameters = {**objective.defaults, **objective.fixed}
    outcome = objective.scheme.outcome(parameters, objective.goals, objective.patience)
    return TrialRecord(
        number=0,
        state="COMPLETE",
        origin="default",
        sampled={},
        params=outcome.parameters,
        value=objective.goals[0].oriented(outcome.measures[objective.goals[0].name]),
        fold_rounds=outcome.fold_rounds,
    )


def test_the_noise_of_a_mean_is_that_of_its_blocks() -> None:
    """For a mean over equal blocks, the pseudo-values of a jackknife are the means of the blocks."""
    of, found = experiment(), rows()
    done = trial(of, found)
    noise = value_noise(of, found, done)
    assert (len(noise.parts), noise.independent) == (20, 20)
    assert np.mean(noise.parts) == pytest.approx(done.value)
    context = tuning.experiment_fit_context(of, found.facts, found.train, found.validation)
    errors = (context.y_validation - context.on_validation(context.fit(done.params)).labels) ** 2
    assert noise.deviation() == pytest.approx(errors.std() / math.sqrt(N), rel=0.4)
    assert noise.margin() == pytest.approx(2.093 * (noise.deviation() or 0), rel=1e-3)
    assert noise.of_difference(noise) == 0.0


def test_the_copies_of_an_entity_carry_no_information() -> None:
    of = experiment()
    alone = value_noise(of, rows(), trial(of, rows())).deviation()
    together = value_noise(of, rows(copies=5), trial(of, rows(copies=5))).deviation()
    assert together == pytest.approx(alone, rel=1e-6)


@pytest.mark.parametrize("algorithm", ["Ridge", "LightGBM"])
def test_on_folds_it_is_their_scatter_and_repeated_folds_count_once(algorithm: str) -> None:
    of = experiment(algorithm, objective="cross_validation", folds=4, repeats=2)
    found = rows()
    done = trial(of, found)
    noise = value_noise(of, found, done)
    assert (len(noise.parts), noise.independent) == (8, 4)
    assert np.mean(noise.parts) == pytest.approx(done.value)
    assert noise.deviation() == pytest.approx(np.std(noise.parts, ddof=1) / 2)


def test_a_metric_that_some_blocks_leave_undefined_has_no_noise() -> None:
    of = experiment("LogisticRegression", "roc_auc", "binary_classification")
    assert value_noise(of, rows(classes=(0, 1)), trial(of, rows(classes=(0, 1)))).deviation()
    few = rows(classes=(0, 1), rare=1)
    noise = value_noise(of, few, trial(of, few))
    assert (noise.parts, noise.deviation(), noise.margin()) == ((), None, None)
