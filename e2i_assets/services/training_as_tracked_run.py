"""A training as MLflow shows it: which values, under which names, with the way back to where each came from."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from e2i_assets.adapters.mlflow.tracked_run import TrackedRun, hyperparameters
from e2i_assets.adapters.repositories.study_rows import TrialRow
from e2i_assets.adapters.settings import Settings
from e2i_assets.core.algorithms import registry
from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.split_tables import SplitFacts
from e2i_assets.core.evaluation import measures
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.training import ROLES, Training
from e2i_assets.services.trials_as_history import history, trial_rows


def tracked_training(
    settings: Settings,
    experiment: Experiment,
    facts: SplitFacts,
    hpo: HpoOutput,
    training: Training,
    trials: Sequence[TrialRow],
    *,
    training_run_id: str,
    dagster_run_id: str,
    model_folder: Path,
    started: datetime,
    figures: Mapping[str, bytes],
) -> TrackedRun:
    """Return everything that MLflow is told of a training.

    Args:
        settings: Says where links lead to.
        experiment: What was trained.
        facts: Of the split that it was trained on.
        hpo: The contract that it was trained from.
        training: What came of it.
        trials: Of the study, none when nothing was searched.
        training_run_id: Of its row in our tables.
        dagster_run_id: Of the run that trained it.
        model_folder: Where the model is.
        started: When the training began.
        figures: Pictures and pages by file name.
    """
    identity = str(hpo.hpo_spec_hash)
    return TrackedRun(
        experiment_name=f"e2i_{experiment.name}",
        run_key=training_key(identity, training.parameters),
        run_name=f"{experiment.algorithm}_{started:%Y%m%d_%H%M%S}",
        description=_description(settings, experiment, hpo, dagster_run_id),
        dagster_run_id=dagster_run_id,
        experiment_tags=_experiment_tags(experiment),
        tags={
            **_tags(experiment, facts, hpo, training_run_id, dagster_run_id),
            "e2i.success_criteria_met": str(training.criteria_met).lower(),
        },
        params={
            **hyperparameters(training.parameters),
            "algorithm_name": experiment.algorithm,
            "problem_type": experiment.problem_type,
            "framework": registry.algorithm(experiment.algorithm).framework,
            "hpo_enabled": experiment.hpo.enabled,
            "early_stopping_enabled": experiment.early_stopping.enabled,
            "imbalance": training.strategy,
        },
        metrics=_metrics(experiment, hpo, training),
        documents={
            "evaluation_summary.json": training.report.model_dump(mode="json"),
            "confusion_matrix.json": {"labels": _labels(training), "counts": training.report.splits["test"].confusion},
            "feature_importance.json": training.model.feature_importances(),
            **(
                {"segments.json": [one.model_dump(mode="json") for one in training.segments]}
                if training.segments
                else {}
            ),
        },
        tables={
            "metrics.json": _metric_rows(training),
            **({"success_criteria.json": _criteria_rows(training)} if training.judgements else {}),
            **({"trials.json": trial_rows(experiment, trials)} if trials else {}),
        },
        history=history(experiment, trials),
        data=(experiment.name, facts.data_hash),
        figures=figures,
        model_folder=model_folder,
        registered_model_name=f"e2i_{experiment.name}",
        started_at=started,
    )


def failed_training(
    settings: Settings,
    experiment: Experiment,
    facts: SplitFacts,
    hpo: HpoOutput,
    failure: str,
    *,
    training_run_id: str,
    dagster_run_id: str,
    started: datetime,
) -> TrackedRun:
    """Return what MLflow is told of a training that came to nothing: what was tried, and why it failed.

    It has a key of its own: the training that comes to an end is another run, beside it.
    """
    parameters = hpo.best_hyperparameters
    return TrackedRun(
        experiment_name=f"e2i_{experiment.name}",
        run_key=content_hash({"training": training_key(str(hpo.hpo_spec_hash), parameters), "failed": True}),
        run_name=f"{experiment.algorithm}_{started:%Y%m%d_%H%M%S}_failed",
        description=_description(settings, experiment, hpo, dagster_run_id),
        dagster_run_id=dagster_run_id,
        experiment_tags=_experiment_tags(experiment),
        tags=_tags(experiment, facts, hpo, training_run_id, dagster_run_id),
        params={**hyperparameters(parameters), "algorithm_name": experiment.algorithm},
        data=(experiment.name, facts.data_hash),
        started_at=started,
        failure=failure,
    )


def training_key(identity: str, parameters: Mapping[str, Any]) -> str:
    """Return the identity of a training in MLflow, where parameters cannot change.

    A study that was given a larger budget may end with other parameters: that is another MLflow run.
    """
    return content_hash({"spec_hash": identity, "parameters": dict(parameters)})


def _description(settings: Settings, experiment: Experiment, hpo: HpoOutput, dagster_run_id: str) -> str:
    """Markdown, as MLflow shows it: what was asked, and the links back."""
    study = f"trial {hpo.hpo_best_trial} of study `{hpo.hpo_study_name}`" if hpo.hpo_completed else "the defaults"
    links = (
        f"Trained from {study}, in [this Dagster run]({settings.dagster_url}/runs/{dagster_run_id}); "
        f"[the experiment in Dagster]({settings.dagster_url}/assets/trained_model?partition={experiment.name})."
    )
    return f"{experiment.description}\n\n{links}" if experiment.description else links


def _experiment_tags(experiment: Experiment) -> dict[str, str]:
    return {
        "problem_type": experiment.problem_type,
        "source": "e2i_assets",
        "mlflow.note.content": experiment.description,
    }


def _tags(
    experiment: Experiment,
    facts: SplitFacts,
    hpo: HpoOutput,
    training_run_id: str,
    dagster_run_id: str,
) -> dict[str, str]:
    return {
        "algorithm": experiment.algorithm,
        "problem_type": experiment.problem_type,
        "framework": registry.algorithm(experiment.algorithm).framework,
        "hpo_enabled": str(experiment.hpo.enabled).lower(),
        "source": "e2i_assets",
        "e2i.experiment": experiment.name,
        "e2i.spec_hash": str(hpo.hpo_spec_hash),
        "e2i.data_hash": facts.data_hash,
        "e2i.split_hash": facts.split_hash,
        "e2i.training_run_id": training_run_id,
        "e2i.study_name": hpo.hpo_study_name or "",
        "e2i.best_trial": str(hpo.hpo_best_trial),
        "e2i.optimised_metric": experiment.metric,
        # The budget is no parameter: a larger one may lead to the same training, whose parameters cannot change.
        "e2i.hpo_trials": str(experiment.hpo.trials),
        # The tag by which dagster-mlflow marks the runs that it starts: one search finds both.
        "dagster_run_id": dagster_run_id,
    }


def _metrics(experiment: Experiment, hpo: HpoOutput, training: Training) -> dict[str, float]:
    report = training.report
    metrics = {f"{role}_{name}": value for role in ROLES for name, value in report.splits[role].metrics.items()}
    said = {
        "primary_metric": report.splits["test"].metrics.get(measures.PRIMARY[experiment.problem_type]),
        "test_calibration_slope": training.slope,
        "success_criteria_met": float(training.criteria_met),
        "hpo_completed": float(hpo.hpo_completed),
        "hpo_best_value": hpo.hpo_best_value,
        "hpo_default_value": hpo.hpo_default_value,
        "hpo_trials_run": float(hpo.hpo_trials_run),
        "hpo_trials_pruned": float(hpo.hpo_trials_pruned),
        "hpo_trials_failed": float(hpo.hpo_trials_failed),
        "hpo_duration_seconds": hpo.hpo_duration_seconds,
        "training_duration_seconds": training.seconds,
        "early_stopped": float(training.stopped_early),
        "final_epoch": None if training.rounds is None else float(training.rounds),
    }
    return {**metrics, **{name: value for name, value in said.items() if value is not None}}


def _metric_rows(training: Training) -> list[dict[str, Any]]:
    splits = training.report.splits
    names = dict.fromkeys(name for role in ROLES for name in splits[role].metrics)
    return [
        {
            "metric": name,
            **{role: splits[role].metrics.get(name) for role in ROLES},
            "defaults on test": training.default_metrics.get(name),
            "dummy on test": training.baseline_metrics.get(name),
        }
        for name in names
    ]


def _criteria_rows(training: Training) -> list[dict[str, Any]]:
    return [
        {"criterion": one.criterion.name, "met": one.met, "measured": one.value, "why": one.reason}
        for one in training.judgements
    ]


def _labels(training: Training) -> list[str]:
    classes = training.model.classes_
    return [] if classes is None else [str(label) for label in classes]
