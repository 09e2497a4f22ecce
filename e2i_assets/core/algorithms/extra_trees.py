"""ExtraTrees of scikit-learn: splits are random, so deeper and more trees than in a random forest help."""

from e2i_assets.core.algorithms.algorithm import Algorithm
from e2i_assets.core.algorithms.consumption import CLASSES, Consumption
from e2i_assets.core.algorithms.forest import fit_in_batches

ALGORITHM = Algorithm(
    name="ExtraTrees",
    family="ensemble",
    complexity=30,
    framework="sklearn",
    classes={
        "binary_classification": "sklearn.ensemble.ExtraTreesClassifier",
        "multiclass_classification": "sklearn.ensemble.ExtraTreesClassifier",
        "regression": "sklearn.ensemble.ExtraTreesRegressor",
    },
    preparation="one_hot",
    default_values={"n_estimators": 200, "max_depth": 15, "min_samples_split": 5, "min_samples_leaf": 2},
    space={
        "n_estimators": {"type": "int", "low": 50, "high": 300, "step": 25},
        "max_depth": {"type": "int", "low": 5, "high": 40},
        "min_samples_split": {"type": "int", "low": 2, "high": 20},
        "min_samples_leaf": {"type": "int", "low": 1, "high": 10},
        "max_features": {"type": "categorical", "choices": ["sqrt", "log2", None]},
    },
    fixed_values={"random_state": 42, "n_jobs": 1},
    accepts=frozenset({"criterion", "max_leaf_nodes", "min_impurity_decrease", "class_weight", "ccp_alpha"}),
    fit_estimator=fit_in_batches,
    consumption=Consumption(only_for={"class_weight": CLASSES}),
)
