"""GradientBoosting of scikit-learn: exact splits, monitored stage by stage through its public ``monitor`` callback."""

from typing import Any

import numpy as np

from e2i_assets.core.algorithms.algorithm import Algorithm, Fit, from_scores, over_all_classes
from e2i_assets.core.algorithms.consumption import Consumption
from e2i_assets.core.algorithms.early_stopping import EarlyStopper, FitMonitor
from e2i_assets.core.algorithms.prepared_data import PreparedData
from e2i_assets.core.metrics import Array, Prediction


class _Stages:
    """Adds each new stage to the validation prediction, so that monitoring costs one tree per round and class."""

    def __init__(self, stopper: EarlyStopper, prepared_data: PreparedData) -> None:
        self.stopper = stopper
        self.prepared_data = prepared_data
        self.raw: Array = np.empty(0)
        self.codes: Array = np.empty(0)

    def __call__(self, stage: int, estimator: Any, _: Any) -> bool:
        x = self.prepared_data.x_validation
        if stage == 0:
            regression = self.prepared_data.task.problem_type == "regression"
            staged = estimator.staged_predict if regression else estimator.staged_decision_function
            self.raw = np.array(next(staged(x)), dtype=np.float64).reshape(len(x), -1)
            self.codes = np.empty(0) if regression else estimator.classes_
        else:
            trees = estimator.estimators_[stage]
            # The matrices of this algorithm are in single precision, which trees read.
            new = [tree.predict(x, check_input=False) for tree in trees]
            self.raw += estimator.learning_rate * np.column_stack(new)
        prediction = self.prediction()
        if self.stopper.is_report_round(stage + 1):
            self.stopper.report(stage + 1, prediction)
        return self.stopper.has_seen_enough(stage + 1, self.loss(prediction))

    def prediction(self) -> Prediction:
        if self.prepared_data.task.problem_type == "regression":
            return Prediction(labels=self.raw[:, 0].copy())
        if self.raw.shape[1] == 1:
            positive = 1.0 / (1.0 + np.exp(-self.raw[:, 0]))
            scores = np.column_stack([1.0 - positive, positive])
        else:
            shifted = np.exp(self.raw - self.raw.max(axis=1, keepdims=True))
            scores = shifted / shifted.sum(axis=1, keepdims=True)
        return from_scores(over_all_classes(scores, self.codes, self.prepared_data.task))

    def loss(self, prediction: Prediction) -> float:
        truth, weights = self.prepared_data.y_validation, self.prepared_data.validation_weights
        if prediction.scores is None:
            return float(np.average((truth - prediction.labels) ** 2, weights=weights))
        of_truth = prediction.scores[np.arange(len(truth)), truth]
        return float(-np.average(np.log(np.clip(of_truth, 1e-15, None)), weights=weights))


def _fit(estimator: Any, prepared_data: PreparedData, watch: FitMonitor | None) -> Fit:
    cap = estimator.n_estimators
    x, y, weights = prepared_data.x_train, prepared_data.y_train, prepared_data.train_weights
    if watch is None:
        return Fit(estimator.fit(x, y, sample_weight=weights), rounds=cap)
    stopper = EarlyStopper(watch, cap)
    estimator.fit(x, y, sample_weight=weights, monitor=_Stages(stopper, prepared_data))
    rounds = stopper.rounds(cap)
    if rounds == cap:
        return Fit(estimator, rounds=cap)
    # Remove the stages after the best one, so that the estimator predicts with exactly the reported rounds.
    estimator.estimators_ = estimator.estimators_[:rounds]
    estimator.train_score_ = estimator.train_score_[:rounds]
    estimator.n_estimators_ = estimator.n_estimators = rounds
    return Fit(estimator, rounds=rounds, stopped_early=True)


ALGORITHM = Algorithm(
    name="GradientBoosting",
    family="boosting",
    complexity=32,
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
    accepts=frozenset({"min_samples_split", "max_leaf_nodes", "min_impurity_decrease", "loss"}),
    fit_estimator=_fit,
    rounds_parameter="n_estimators",
    rounds_cap=1000,
    consumption=Consumption(only_for={"loss": frozenset({"binary_classification", "regression"})}),
)
