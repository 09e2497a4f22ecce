"""Small experiments and rows for the training of a final model without a search."""

from typing import Any

import numpy as np
import pandas as pd
from fitted_models import CLASSES, table, target

from e2i_assets.core.algorithms import registry
from e2i_assets.core.data.split_tables import SplitFacts, TrainingRows
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.fitting.averaged_model import Model
from e2i_assets.core.fitting.fit_context import Rows
from e2i_assets.core.search.study_output import hpo_output
from e2i_assets.core.training import Training, trained

PARTS = {"train": slice(0, 240), "validation": slice(240, 320), "test": slice(320, 400)}


def experiment(algorithm: str, problem_type: str, **sections: Any) -> Experiment:
    few = {"n_estimators": 40} if "n_estimators" in registry.algorithm(algorithm).parameters else {}
    asked = {
        **{"name": "small", "owner": "team:tests", "source": {"csv": "rows.csv"}, "target": "target"},
        **{"problem_type": problem_type, "algorithm": algorithm, "fixed": few, "hpo": {"enabled": False}},
    }
    return experiment_from({**asked, **sections}, "small")


def rows(problem_type: str, weighted: bool = False, uneven: bool = False) -> TrainingRows:
    """Train, validation and test rows with gaps, categories and dates; a person has two rows of one split."""
    frame = table(400)
    values = frame["visits"] > 14 if uneven else target(frame, problem_type)
    facts = SplitFacts(
        experiment="small", problem_type=problem_type, target="target", features=tuple(frame.columns),
        classes=CLASSES[problem_type], data_hash="d", split_hash="e", search_hash="f", strategy="group", seed=42,
        counts={}, left_out=0, weight="weight" if weighted else None,
    )  # fmt: skip
    weights = np.random.default_rng(1).uniform(0.5, 4, len(frame)) if weighted else None

    def part(name: str) -> Rows:
        at = PARTS[name]
        return Rows(frame[at], values[at], np.arange(at.start, at.stop) // 2, None if weights is None else weights[at])

    return TrainingRows(facts, part("train"), part("validation"), part("test"))


def training(of: Experiment, given: TrainingRows) -> Training:
    return trained(of, given, hpo_output(of, "a" * 64, None))


def predictions(model: Model, features: pd.DataFrame) -> Any:
    return model.predict(features) if model.classes_ is None else model.predict_proba(features)
