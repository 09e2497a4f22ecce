"""The fit of a forest in batches of trees, with reports; the trees are the same as in a single fit."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from e2i_assets.core.algorithms.algorithm import Fit, from_scores, over_all_classes
from e2i_assets.core.algorithms.early_stopping import FitMonitor, report_rounds
from e2i_assets.core.algorithms.prepared_data import PreparedData
from e2i_assets.core.metrics import Array, Prediction


def fit_in_batches(estimator: Any, prepared_data: PreparedData, watch: FitMonitor | None) -> Fit:
    """Fit the forest in batches with a report after each; more trees do not overfit, so there is no early stopping."""
    cap = estimator.n_estimators
    x, y, weights = prepared_data.x_train, prepared_data.y_train, prepared_data.train_weights
    if watch is None or watch.report is None:
        return Fit(estimator.fit(x, y, sample_weight=weights), rounds=cap)
    estimator.set_params(warm_start=True)
    running = _Running(estimator, prepared_data)
    for report_round in report_rounds(cap):
        estimator.set_params(n_estimators=report_round).fit(x, y, sample_weight=weights)
        watch.report(report_round, running.prediction())
    estimator.set_params(n_estimators=cap).fit(x, y, sample_weight=weights).set_params(warm_start=False)
    return Fit(estimator, rounds=cap)


class _Running:
    """The running sum of the trees' predictions for the validation rows; only new trees are evaluated."""

    def __init__(self, estimator: Any, prepared_data: PreparedData) -> None:
        self._estimator = estimator
        self._prepared_data = prepared_data
        self._added = 0
        self._sum: Array = np.zeros(0)

    def prediction(self) -> Prediction:
        trees: Sequence[Any] = self._estimator.estimators_
        for tree in trees[self._added :]:
            of_tree = self._of_tree(tree)
            self._sum = of_tree if self._added == 0 else self._sum + of_tree
            self._added += 1
        mean = self._sum / len(trees)
        task = self._prepared_data.task
        if task.problem_type == "regression":
            return Prediction(labels=mean)
        return from_scores(over_all_classes(mean, self._estimator.classes_, task))

    def _of_tree(self, tree: Any) -> Array:
        # The matrices of forests are in single precision, which trees read, so no conversion is needed.
        predict = tree.predict if self._prepared_data.task.problem_type == "regression" else tree.predict_proba
        values: Array = predict(self._prepared_data.x_validation, check_input=False)
        return values
