"""A training as MLflow shows it: the values and their names, links to their origin, and the trials of its study."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from e2i_assets.adapters.mlflow.runs_view import view_tag
from e2i_assets.adapters.mlflow.tracked_run import TrackedRun, hyperparameters
from e2i_assets.adapters.mlflow.trial_history import Point
from e2i_assets.core.algorithms import registry
from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.evaluation import measures
from e2i_assets.core.evaluation.measures import Measure
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.final_fit import LEARNT_FROM
from e2i_assets.core.fitting.feature_importances import feature_importances
from e2i_assets.core.metrics import metric
from e2i_assets.core.search.final_model_choice import used_final_model
from e2i_assets.core.search.trials import TrialRecord
from e2i_assets.core.training import SPLITS, Training
from e2i_assets.core.training_record import TrainingRecord, TrainingStart, training_key
from e2i_assets.services.training_rows import expected_costs

# MLflow's pages show a group of metrics before the metrics without one, which are more than eighty.
MAIN = "main/"


def tracked_training(record: TrainingRecord, dagster_url: str) -> TrackedRun:
    """Return everything that MLflow stores of a training.

    Args:
        record: The training.
        dagster_url: Address of Dagster's UI, for the links.
    """
    start, training, experiment = record.start, record.training, record.experiment
    trials = record.study.trials if record.study else ()
    segments = [one.model_dump(mode="json") for one in training.segments]
    return TrackedRun(
        experiment_name=f"e2i_{experiment.name}",
        run_key=record.model_key,
        run_name=start.run_name,
        description=_description(start, dagster_url),
        dagster_run_id=start.dagster_run_id,
        experiment_tags=_experiment_tags(start),
        tags={**_tags(start), "e2i.success_criteria_met": str(training.criteria_met).lower(), **_learnt_from(training)},
        params={
            **hyperparameters(training.parameters),
            "algorithm_name": experiment.algorithm,
            "problem_type": experiment.problem_type,
            "framework": registry.algorithm(experiment.algorithm).framework,
            "hpo_enabled": experiment.hpo.enabled,
            "early_stopping_enabled": experiment.early_stopping.enabled,
            "imbalance": training.strategy,
            "final_model": training.final_model,
        },
        metrics={**_metrics(record), **_main_metrics(record)},
        documents={
            "evaluation_summary.json": training.report.model_dump(mode="json"),
            "confusion_matrix.json": {"labels": _labels(training), "counts": training.report.splits["test"].confusion},
            "feature_importance.json": feature_importances(training.model),
            **({"segments.json": segments} if segments else {}),
            **({"expected_costs.json": costs} if (costs := expected_costs(record)) else {}),
        },
        tables={
            "metrics.json": _metric_table(record),
            **({"success_criteria.json": record.criteria_rows()} if training.criterion_results else {}),
            **({"trials.json": trial_rows(experiment, trials)} if trials else {}),
        },
        history=history(experiment, trials),
        data=(experiment.name, start.facts.data_hash),
        figures=record.pictures,
        model_folder=record.model_folder,
        registered_model_name=f"e2i_{experiment.name}",
        started_at=start.started_at,
    )


def failed_training(start: TrainingStart, failure: str, dagster_url: str) -> TrackedRun:
    """Return what MLflow stores of a training that failed: what was tried, and the reason.

    It has a key of its own, so a later training that succeeds is another run beside it.
    """
    experiment, parameters = start.experiment, start.hpo.best_hyperparameters
    kind = used_final_model(experiment, start.facts)
    return TrackedRun(
        experiment_name=f"e2i_{experiment.name}",
        run_key=content_hash({"training": training_key(start.study_key, parameters, kind), "failed": True}),
        run_name=f"{start.run_name}_failed",
        description=_description(start, dagster_url),
        dagster_run_id=start.dagster_run_id,
        experiment_tags=_experiment_tags(start),
        tags=_tags(start),
        params={**hyperparameters(parameters), "algorithm_name": experiment.algorithm},
        data=(experiment.name, start.facts.data_hash),
        started_at=start.started_at,
        failure=failure,
    )


def _learnt_from(training: Training) -> dict[str, str]:
    return {"e2i.learnt_from": LEARNT_FROM[training.final_model], "e2i.training_samples": str(training.samples)}


def _description(start: TrainingStart, dagster_url: str) -> str:
    """Return Markdown: the experiment's description, and links to the study and to Dagster."""
    experiment, hpo = start.experiment, start.hpo
    study = f"trial {hpo.hpo_best_trial} of study `{hpo.hpo_study_name}`" if hpo.hpo_completed else "the defaults"
    links = (
        f"Trained from {study}, in [this Dagster run]({dagster_url}/runs/{start.dagster_run_id}); "
        f"[the experiment in Dagster]({dagster_url}/assets/trained_model?partition={experiment.name})."
    )
    return f"{experiment.description}\n\n{links}" if experiment.description else links


def _experiment_tags(start: TrainingStart) -> dict[str, str]:
    experiment = start.experiment
    view, state = _runs_view(experiment, start.started_at)
    return {
        view: state,
        "problem_type": experiment.problem_type,
        "source": "e2i_assets",
        # MLflow opens the experiment on its runs; because of the traces it would infer a GenAI experiment.
        "mlflow.experimentKind": "custom_model_development",
        "mlflow.note.content": experiment.description,
    }


def _tags(start: TrainingStart) -> dict[str, str]:
    experiment, facts, hpo = start.experiment, start.facts, start.hpo
    return {
        "algorithm": experiment.algorithm,
        "problem_type": experiment.problem_type,
        "framework": registry.algorithm(experiment.algorithm).framework,
        "hpo_enabled": str(experiment.hpo.enabled).lower(),
        "source": "e2i_assets",
        "e2i.experiment": experiment.name,
        "e2i.spec_hash": start.study_key,
        "e2i.data_hash": facts.data_hash,
        "e2i.split_hash": facts.split_hash,
        "e2i.training_run_id": start.training_run_id,
        "e2i.study_name": hpo.hpo_study_name or "",
        "e2i.best_trial": str(hpo.hpo_best_trial),
        "e2i.optimised_metric": experiment.metric,
        **({"e2i.loss": str(experiment.used_loss)} if experiment.loss != "squared_error" else {}),
        # The budget is not a parameter: a larger budget may give the same training, whose parameters cannot change.
        "e2i.hpo_trials": str(experiment.hpo.trials),
        # The tag by which dagster-mlflow marks the runs that it starts: one search finds both.
        "dagster_run_id": start.dagster_run_id,
    }


def _metrics(record: TrainingRecord) -> dict[str, float]:
    experiment, hpo, training = record.experiment, record.hpo, record.training
    report = training.report
    metrics = {f"{role}_{name}": value for role in SPLITS for name, value in report.splits[role].metrics.items()}
    single = {
        "primary_metric": report.splits["test"].metrics.get(measures.PRIMARY[experiment.problem_type]),
        "test_calibration_slope": training.slope,
        "test_calibration_intercept": training.intercept,
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
    return {**metrics, **{name: value for name, value in single.items() if value is not None}}


def _main_metrics(record: TrainingRecord) -> dict[str, float]:
    """Return the metrics that answer how good the model is: few, and again under their own names in `_metrics`."""
    splits, name = record.training.report.splits, record.measure.name
    primary = measures.PRIMARY[record.experiment.problem_type]
    values = (
        *(record.on_test, float(record.training.criteria_met), record.of_defaults, record.of_dummy),
        *(splits[split].metrics.get(name) for split in ("validation", "train")),
        splits["test"].metrics.get(primary),
    )
    main = zip(_main_names(record.experiment), values, strict=True)
    return {name: value for name, value in main if value is not None}


def _main_names(experiment: Experiment) -> tuple[str, ...]:
    name, primary = _measure(experiment).name, measures.PRIMARY[experiment.problem_type]
    on_test = (f"test_{name}", "success_criteria_met", f"test_{name}_of_defaults", f"test_{name}_of_dummy")
    return tuple(f"{MAIN}{one}" for one in (*on_test, f"validation_{name}", f"train_{name}", f"test_{primary}"))


def runs_view_key(experiment: Experiment) -> str:
    """Return the key of the view of the runs in MLflow, sorted by the metric of the experiment, the best run first."""
    return _measure(experiment).name


def _runs_view(experiment: Experiment, created_at: datetime) -> tuple[str, str]:
    names = tuple(dict.fromkeys(_main_names(experiment)))
    ascending = not _measure(experiment).greater_is_better
    title = f"{_measure(experiment).name} on test, best first"
    return view_tag(runs_view_key(experiment), title, names, names[0], ascending, created_at)


def _measure(experiment: Experiment) -> Measure:
    return measures.optimised(experiment.metric, experiment.problem_type)


def _metric_table(record: TrainingRecord) -> list[dict[str, Any]]:
    return [
        {"metric": row.name, **row.splits, "defaults on test": row.defaults, "dummy on test": row.dummy}
        for row in record.metric_rows()
    ]


def _labels(training: Training) -> list[str]:
    classes = training.model.classes_
    return [] if classes is None else [str(label) for label in classes]


def history(experiment: Experiment, trials: Sequence[TrialRecord]) -> list[Point]:
    """Return the value of each completed trial and the best so far, in the natural orientation of the metric."""
    optimised = metric(experiment.metric, experiment.problem_type)
    points: list[Point] = []
    best: float | None = None
    for trial in sorted(trials, key=lambda one: one.number):
        if trial.completed_at is None:
            continue
        step, at = trial.number, trial.completed_at
        if trial.seconds is not None:
            points.append(Point("trial_seconds", step, trial.seconds, at))
        if trial.state == "COMPLETE" and trial.value is not None:
            best = trial.value if best is None else max(best, trial.value)
            points.append(Point(f"trial_{experiment.metric}", step, optimised.oriented(trial.value), at))
            points.append(Point(f"trial_best_{experiment.metric}", step, optimised.oriented(best), at))
    return points


def trial_rows(experiment: Experiment, trials: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    """Return a table row for each trial; pruned and failed ones have a reason."""
    optimised = metric(experiment.metric, experiment.problem_type)
    return [
        {
            "trial": one.number,
            "state": one.state,
            "origin": one.origin,
            experiment.metric: None if one.value is None else optimised.oriented(one.value),
            "seconds": one.seconds,
            **{f"hp_{name}": value for name, value in one.sampled.items()},
            "reason": one.error_message,
        }
        for one in sorted(trials, key=lambda one: one.number)
    ]
