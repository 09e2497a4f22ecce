"""GradientBoosting of scikit-learn: exact splits, watched stage by stage through its public monitor."""

from typing import Any

import numpy as np

from e2i_assets.core.algorithms.algorithm import Algorithm, Fit, Matrix, Task, Watch, from_scores
from e2i_assets.core.algorithms.ladder import rungs
from e2i_assets.core.metrics import Array, Prediction


class _Stages:
    """Adds each new stage to the validation prediction, so that watching costs one tree per round and class."""

    def __init__(self, watch: Watch, cap: int, task: Task) -> None:
        self.watch = watch
        self.task = task
        self.ladder = frozenset(rungs(cap))
        self.raw: Array = np.empty(0)
        self.best_loss = np.inf
        self.best_round = 0

    def __call__(self, stage: int, estimator: Any, _: Any) -> bool:
        watch = self.watch
        if stage == 0:
            regression = self.task.problem_type == "regression"
            staged = estimator.staged_predict if regression else estimator.staged_decision_function
            self.raw = np.array(next(staged(watch.x)), dtype=np.float64).reshape(len(watch.x), -1)
        else:
            trees = estimator.estimators_[stage]
            self.raw += estimator.learning_rate * np.column_stack([tree.predict(watch.x) for tree in trees])
        if watch.report is not None and stage + 1 in self.ladder:
            watch.report(stage + 1, self.prediction())
        loss = self.loss()
        if loss < self.best_loss:
            self.best_loss, self.best_round = loss, stage + 1
        return watch.patience is not None and stage + 1 - self.best_round >= watch.patience

    def prediction(self) -> Prediction:
        if self.task.problem_type == "regression":
            return Prediction(labels=self.raw[:, 0].copy())
        if self.raw.shape[1] == 1:
            return from_scores(1.0 / (1.0 + np.exp(-self.raw[:, 0])))
        shifted = np.exp(self.raw - self.raw.max(axis=1, keepdims=True))
        return from_scores(shifted / shifted.sum(axis=1, keepdims=True))

    def loss(self) -> float:
        prediction = self.prediction()
        if prediction.scores is None:
            return float(np.mean((self.watch.y - prediction.labels) ** 2))
        of_truth = prediction.scores[np.arange(len(self.watch.y)), self.watch.y]
        return float(-np.mean(np.log(np.clip(of_truth, 1e-15, None))))


def _fit(estimator: Any, x: Matrix, y: Array, task: Task, watch: Watch | None) -> Fit:
    cap = estimator.n_estimators
    if watch is None or (watch.patience is None and watch.report is None):
        return Fit(estimator.fit(x, y), rounds=cap)
    stages = _Stages(watch, cap, task)
    estimator.fit(x, y, monitor=stages)
    if watch.patience is None or stages.best_round == cap:
        return Fit(estimator, rounds=cap)
    # The stages after the best one go, so that the estimator predicts with exactly the round that is reported.
    estimator.estimators_ = estimator.estimators_[: stages.best_round]
    estimator.train_score_ = estimator.train_score_[: stages.best_round]
    estimator.n_estimators_ = estimator.n_estimators = stages.best_round
    return Fit(estimator, rounds=stages.best_round, stopped_early=True)


ALGORITHM = Algorithm(
    name="GradientBoosting",
    family="boosting",
    framework="sklearn",
    classes={
        "binary_classification": "sklearn.ensemble.GradientBoostingClassifier",
        "multiclass_classification": "sklearn.ensemble.GradientBoostingClassifier",
        "regression": "sklearn.ensemble.GradientBoostingRegressor",
    },
    preparation="one_hot",
    default_values={"n_estimators": 150, "max_depth": 3, "learning_rate": 0.1, "subsample": 0.8},
    space={
        "n_estimators": {"type": "int", "low": 50, "high": 300, "step": 25},
        "max_depth": {"type": "int", "low": 2, "high": 6},
        "learning_rate": {"type": "float", "low": 0.01, "high": 0.3, "log": True},
        "subsample": {"type": "float", "low": 0.5, "high": 1.0},
        "min_samples_leaf": {"type": "int", "low": 1, "high": 50},
        "max_features": {"type": "categorical", "choices": ["sqrt", "log2", None]},
    },
    fixed_values={"random_state": 42},
    accepts=frozenset({"criterion", "min_samples_split", "max_leaf_nodes", "min_impurity_decrease", "loss"}),
    fit_estimator=_fit,
    rounds_parameter="n_estimators",
)
