"""Opens the holdout. Only this module evaluates a model on holdout rows, and it records each access."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from e2i_assets.adapters.files.asset_values import AssetMissing
from e2i_assets.adapters.repositories.test_access import HoldoutOpening
from e2i_assets.adapters.repositories.training_runs import StoredRun
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.split_tables import HoldoutRows, TrainingRows
from e2i_assets.core.errors import E2iError
from e2i_assets.core.evaluation.evaluation import SplitEvaluation
from e2i_assets.core.evaluation.intervals import Interval, bootstrap_intervals
from e2i_assets.services.project import Project
from e2i_assets.services.stored_model import evaluated_rows, predicted_rows
from e2i_assets.services.training_rows import interval_documents


@dataclass(frozen=True, slots=True)
class OpenedHoldout:
    """The results of an access to the holdout, and the earlier accesses."""

    opening: HoldoutOpening
    earlier: tuple[HoldoutOpening, ...]
    report: SplitEvaluation
    intervals: Mapping[str, Interval]
    test_metrics: Mapping[str, Any]


def open_holdout(project: Project, name: str, user: str, why: str) -> OpenedHoldout:
    """Evaluate the stored model of an experiment on its holdout rows. The access is recorded before results are shown.

    Args:
        project: The project.
        name: Name of the experiment.
        user: User that opens the holdout.
        why: The recorded reason.

    Raises:
        E2iError: The reason is empty, or there is no trained model of the current rows.
    """
    if not why.strip():
        raise E2iError(
            f"the holdout of {name} is not opened: give a reason with --why. The rows are unseen only once, and user, "
            "time and reason are recorded"
        )
    experiment = project.experiment(name)
    run = finished_training(project, name)
    sealed: HoldoutRows = project.read(HoldoutRows, "validation_splits", name)
    experiment_id = project.experiments.id_of(name)
    split_id = project.splits.id_of(experiment_id, sealed.facts.split_hash)
    if split_id is None or split_id != run.split_id:
        raise E2iError(f"the model of {name} was trained on another split: run `e2i run {name}` first")
    truth, prediction = predicted_rows(project, name, run, sealed.facts, sealed.holdout)
    seen: TrainingRows = project.read(TrainingRows, "validation_splits", name)
    report = evaluated_rows(experiment, sealed.facts, run, seen.train, truth, prediction, sealed.holdout.weights)
    intervals = bootstrap_intervals(
        experiment.problem_type,
        truth,
        prediction,
        run.decision_threshold,
        ordered=sealed.facts.ordered,
        weights=sealed.holdout.weights,
        groups=sealed.holdout.entities,
        loss_metrics=experiment.loss_metrics,
        seed=experiment.hpo.seed,
    )
    store = project.test_access
    earlier = tuple(store.openings(name))
    opening = store.open_holdout(
        experiment_id=experiment_id,
        training_run_id=run.id,
        model_key=run.fitted_model_key,
        split_id=split_id,
        opened_by=user,
        reason=why.strip(),
        holdout_rows=report.n_rows,
        decision_threshold=run.decision_threshold,
        metrics=report.metrics,
        intervals=interval_documents(intervals),
    )
    return OpenedHoldout(opening, earlier, report, intervals, run.test_metrics)


def finished_training(project: Project, name: str) -> StoredRun:
    """Return the finished training of the current contract of an experiment.

    Raises:
        E2iError: There is none.
    """
    run = None
    with suppress(AssetMissing):
        hpo: HpoOutput = project.read(HpoOutput, "best_hyperparameters", name)
        run = project.training_runs.by_spec_hash(str(hpo.hpo_spec_hash))
    if run is None or run.status != "finished":
        raise E2iError(f"{name} has no trained model, so there is nothing to evaluate: `e2i run {name}` trains one")
    return run
