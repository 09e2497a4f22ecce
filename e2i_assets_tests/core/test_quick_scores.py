"""Fast scores equal those of scikit-learn for every metric that has one, also with ties and missing classes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2i_assets.core.metrics import METRICS, Prediction

QUICK = [(problem_type, name) for problem_type, own in METRICS.items() for name, metric in own.items() if metric.quick]


def test_the_default_metrics_have_a_fast_score():
    assert {("binary_classification", "roc_auc"), ("multiclass_classification", "f1_weighted")} <= set(QUICK)
    assert ("regression", "rmse") in QUICK


@pytest.mark.parametrize(("problem_type", "name"), QUICK)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(8, 60), levels=st.integers(1, 30))
def test_a_fast_score_equals_the_score_of_scikit_learn(problem_type, name, seed, n, levels):
    random = np.random.default_rng(seed)
    n_classes = 2 if problem_type == "binary_classification" else 4
    if problem_type == "regression":
        truth, labels = random.normal(size=n), random.normal(size=n)
        prediction = Prediction(labels=labels)
    else:
        truth = np.concatenate([np.arange(n_classes), random.integers(0, n_classes, n - n_classes)])
        # Few levels give ties and classes that are never predicted.
        scores = random.integers(1, levels + 1, (n, n_classes)).astype(float)
        scores /= scores.sum(axis=1, keepdims=True)
        prediction = Prediction(labels=scores.argmax(axis=1), scores=scores)
    metric = METRICS[problem_type][name]
    assert metric.quick_score(truth, prediction) == pytest.approx(metric.score(truth, prediction), abs=1e-12)
