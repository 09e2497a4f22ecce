"""Compares the models of several experiments on their common test rows, and records that use of the rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from e2i_assets.adapters.repositories.models import version_of
from e2i_assets.adapters.repositories.test_access import segments_of
from e2i_assets.adapters.repositories.training_runs import StoredRun
from e2i_assets.core.comparison import (
    ComparedModel,
    ModelComparison,
    NotComparable,
    differences,
    require_same_rows,
)
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.errors import E2iError
from e2i_assets.core.evaluation.measures import MEASURES, Measure, measure, optimised
from e2i_assets.core.evaluation.paired import Contender, PairedRows, paired_gain
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.suggestions import not_one_of
from e2i_assets.services.open_holdout import finished_training
from e2i_assets.services.project import Project
from e2i_assets.services.stored_model import predicted_rows


@dataclass(frozen=True, slots=True)
class _Trained:
    experiment: Experiment
    run: StoredRun
    rows: TrainingRows


def compare(project: Project, names: Sequence[str], user: str, metric: str | None = None) -> ModelComparison:
    """Compare the latest models of experiments on their common test rows; the first one is the reference.

    Choosing between models by their test rows is a use of these rows, so it is recorded for each model, once for the
    same models.

    Args:
        project: The project.
        names: Names of two or more experiments.
        user: The user who is recorded.
        metric: The metric to compare, a name of `measures`; by default the optimised one of the first experiment.

    Raises:
        NotComparable: The experiments differ in their test rows or in their question.
        E2iError: An experiment has no trained model of its current rows, or the metric does not exist.
    """
    if len(dict.fromkeys(names)) < 2:
        raise E2iError("a comparison needs two different experiments: e2i compare A B")
    trained = [_trained(project, name) for name in dict.fromkeys(names)]
    for other in trained[1:]:
        require_same_rows(trained[0].rows, other.rows)
    counted, first = _measure(trained[0].experiment, metric), trained[0]
    groups = next((one.rows.test.entities for one in trained if one.experiment.columns.group), None)
    contenders = []
    for one in trained:
        truth, prediction = predicted_rows(project, one.experiment.name, one.run, one.rows.facts, one.rows.test)
        contenders.append(Contender(prediction, one.run.decision_threshold))
    on_test = PairedRows(
        problem_type=first.experiment.problem_type,
        truth=truth,
        ordered=all(one.rows.facts.ordered for one in trained),
        weights=first.rows.test.weights,
        groups=groups,
    )
    seed = first.experiment.hpo.seed
    gains = {
        one.experiment.name: paired_gain(on_test, counted, contender, contenders[0], seed=seed)
        for one, contender in zip(trained[1:], contenders[1:], strict=True)
    }
    _record(project, trained, user)
    return ModelComparison(
        metric=counted.name,
        greater_is_better=counted.greater_is_better,
        test_rows=len(truth),
        group=next((one.experiment.columns.group for one in trained if one.experiment.columns.group), None),
        models=tuple(_model(project, one, counted.name) for one in trained),
        gains=gains,
        differences=differences(
            [one.experiment for one in trained], {one.experiment.name: one.run.hyperparameters for one in trained}
        ),
    )


def _trained(project: Project, name: str) -> _Trained:
    experiment, run = project.decided_experiment(name), finished_training(project, name)
    rows: TrainingRows = project.read(TrainingRows, "validation_splits", name)
    if run.split_id != project.splits.id_of(project.experiments.id_of(name), rows.facts.split_hash):
        raise NotComparable(f"the model of {name} was trained on another split: run `e2i run {name}` first")
    return _Trained(experiment, run, rows)


def _measure(experiment: Experiment, metric: str | None) -> Measure:
    if metric is None:
        return optimised(experiment.metric, experiment.problem_type)
    found = measure(metric, experiment.problem_type)
    if found is None:
        known = MEASURES[experiment.problem_type]
        raise E2iError(f"--metric {metric!r} {not_one_of(metric, known)}")
    return found


def _model(project: Project, one: _Trained, metric: str) -> ComparedModel:
    name, run = one.experiment.name, one.run
    hpo: HpoOutput = project.read(HpoOutput, "best_hyperparameters", name)
    version, interval = version_of(project.database, run.id), run.test_intervals.get(metric)
    return ComparedModel(
        experiment=name,
        algorithm=run.algorithm,
        model_key=run.fitted_model_key,
        metrics=dict(run.test_metrics),
        low=interval["low"] if interval else None,
        high=interval["high"] if interval else None,
        features=len(run.feature_names),
        samples=run.training_samples,
        trials=hpo.hpo_trials_run,
        search_seconds=hpo.hpo_duration_seconds,
        fit_seconds=run.duration_seconds,
        model_bytes=_size(project.model_folder(name, run.spec_hash)),
        calibration_slope=version.calibration_slope if version else None,
        segments={
            f"{of.column_name} = {of.segment}": of.test_metrics.get(metric)
            for of in segments_of(project.database, run.id)
            if not of.is_small
        },
    )


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _record(project: Project, trained: Sequence[_Trained], user: str) -> None:
    for one in trained:
        others = [f"{of.experiment.name} ({of.run.fitted_model_key[:12]})" for of in trained if of is not one]
        reason = f"e2i compare: with {', '.join(sorted(others))}"
        project.test_access.record_once(one.run.id, one.run.fitted_model_key, user, reason)
