"""Evaluates a stored model on rows of its split."""

from pathlib import Path

import numpy as np
import pandas as pd

from e2i_assets.adapters.mlflow.models import ModelInvalid, load_model
from e2i_assets.adapters.repositories.training_runs import StoredRun
from e2i_assets.adapters.stores.store import StoredDamaged
from e2i_assets.core.data.split_tables import SplitFacts
from e2i_assets.core.evaluation.confusion import Confusion
from e2i_assets.core.evaluation.evaluation import SplitEvaluation, split_evaluation
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.averaged_model import Model
from e2i_assets.core.fitting.fit_context import predicted_table, target_codes
from e2i_assets.core.fitting.rows import RowSource
from e2i_assets.core.fitting.weighting import relative
from e2i_assets.core.metrics import Array, Prediction
from e2i_assets.services.project import Project

ARCHIVE = Path("data", "model")  # the model in an MLflow model folder of this package


def predicted_rows(
    project: Project, experiment: str, run: StoredRun, facts: SplitFacts, rows: RowSource
) -> tuple[Array, Prediction]:
    """Return the true values and the stored model's predictions for rows.

    Raises:
        ModelInvalid: The model is missing or differs from the one that was stored.
    """
    model = _model(project, project.model_key(experiment, run.spec_hash))
    return target_codes(rows.target, facts.classes), predicted_table(model, rows.features)


def promoted_model(project: Project, experiment: str, model_key: str) -> Model:
    """Return a promoted model.

    It is found by its key, in the state of this project: a decision also has the place where it was, which is no longer
    right after the state was moved.

    Raises:
        ModelInvalid: The model is missing or differs from the one that was stored.
    """
    return _model(project, project.champion_key(experiment, model_key))


def _model(project: Project, key: str) -> Model:
    try:
        folder = project.store.folder(key)
    except StoredDamaged as error:
        raise ModelInvalid(str(error)) from error
    return load_model(folder / ARCHIVE)


def served_confusion(
    project: Project, experiment: str, run: StoredRun, facts: SplitFacts, rows: RowSource
) -> list[list[int]]:
    """Return the confusion matrix of the labels that the stored model predicts: rows by true class.

    The labels are the decisions that MLflow serves, at the model's own threshold.

    Raises:
        ModelInvalid: The model is missing or differs from the one that was stored.
        E2iError: It predicts another class than those of the target.
    """
    model = _model(project, project.model_key(experiment, run.spec_hash))
    names = tuple(map(str, facts.classes))
    decided = target_codes(pd.Series(list(map(str, model.predict(rows.features)))), names)
    counts: list[list[int]] = Confusion.of(
        len(names), target_codes(rows.target, facts.classes), decided
    ).counts.tolist()
    return counts


def evaluated_rows(
    experiment: Experiment,
    facts: SplitFacts,
    run: StoredRun,
    train: RowSource,
    truth: Array,
    prediction: Prediction,
    weights: Array | None,
) -> SplitEvaluation:
    """Evaluate a prediction like the training: with its threshold, and the minority class of its train rows."""
    rarer = None
    if len(facts.classes) == 2:
        rarer = int(
            np.bincount(target_codes(train.target, facts.classes), relative(train.weights), minlength=2).argmin()
        )
    threshold = run.decision_threshold
    return split_evaluation(
        facts.problem_type,
        truth,
        prediction,
        threshold,
        rarer,
        ordered=facts.ordered,
        weights=weights,
        loss_metrics=experiment.loss_metrics,
    )
