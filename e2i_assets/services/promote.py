"""Champion and challenger: compares a new model with the champion on the same test rows and promotes the better one."""

import shutil
from collections.abc import Sequence
from dataclasses import fields

from e2i_assets.adapters.current_user import current_user
from e2i_assets.adapters.mlflow.models import ModelInvalid
from e2i_assets.adapters.repositories.models import ChampionRow, StoredDecision, version_of
from e2i_assets.adapters.repositories.training_runs import StoredRun
from e2i_assets.core.automation.champion import (
    ChampionDecision,
    ChampionModel,
    Comparison,
    compared,
    verdict,
)
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.errors import E2iError
from e2i_assets.core.evaluation.measures import Measure, measure
from e2i_assets.core.evaluation.paired import Contender, PairedRows
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.fit_context import predicted_table
from e2i_assets.services.checks import model_links
from e2i_assets.services.checks.catalogue import CHECKS
from e2i_assets.services.checks.check import evaluated
from e2i_assets.services.project import Project
from e2i_assets.services.stored_model import predicted_rows, promoted_model

# The checks that a model must pass to be in use.
REQUIRED_CHECKS = tuple(one for one in CHECKS if one.asset == "trained_model" and one.severity == "ERROR")


def promote(
    project: Project, experiment: Experiment, rows: TrainingRows, failed: Sequence[str] | None = None
) -> ChampionModel:
    """Decide whether the stored model of an experiment becomes its champion, once per model.

    A lock serializes this: of two models compared with the same champion, the worse one could win otherwise.

    Args:
        project: The project.
        experiment: Experiment of the model.
        failed: The `REQUIRED_CHECKS` that the model failed, with reasons; None to evaluate them here.

    Raises:
        E2iError: There is no trained model of the current rows.
    """
    with project.database.advisory_lock(f"champion of {experiment.name}"):
        return _promoted(project, experiment, rows, failed)


def _promoted(
    project: Project, experiment: Experiment, rows: TrainingRows, failed: Sequence[str] | None
) -> ChampionModel:
    store = project.champions
    experiment_id = project.experiments.id_of(experiment.name)
    run = model_links.training_run(project, experiment.name)
    challenger = run.fitted_model_key
    champion = store.current(experiment_id)
    known = store.about(experiment_id, challenger)
    if known is None or _is_due_again(known, champion, run):
        broken = _failed_checks(project, experiment.name) if failed is None else failed
        _decide(project, experiment, experiment_id, rows, run, champion, broken)
        champion, known = store.current(experiment_id), store.about(experiment_id, challenger)
    assert known is not None
    if champion is not None and champion.challenger_key == challenger:
        _champion_copy(project, experiment.name, run)  # repeated, because the state folder may have been lost
    aliases = _set_aliases(project, run, champion)
    return ChampionModel(
        model_key=champion.challenger_key if champion else None,
        model_folder=champion.model_folder if champion else None,
        aliases=aliases,
        **{field.name: getattr(known, field.name) for field in fields(ChampionDecision)},
    )


def _is_due_again(known: StoredDecision, champion: StoredDecision | None, run: StoredRun) -> bool:
    """Return whether an evaluated model is evaluated again: it is not in use and did not lose to this champion."""
    if champion is None:
        return True
    if champion.challenger_key == known.challenger_key:
        return False
    beaten = not known.promoted and known.gain is not None and known.champion_key == champion.challenger_key
    return not beaten or known.split_id != run.split_id


def _decide(
    project: Project,
    experiment: Experiment,
    experiment_id: str,
    rows: TrainingRows,
    run: StoredRun,
    champion: StoredDecision | None,
    broken: Sequence[str],
) -> None:
    store, counted = project.champions, _measure(experiment)
    comparison, why_not = None, None
    if champion is not None and not broken:
        try:
            comparison = _compared(project, experiment, rows, run, champion, counted)
        except _NotComparableError as reason:
            why_not = str(reason)
    found = verdict(broken, champion is not None, comparison, why_not, run.success_criteria_met is not False)
    version = version_of(project.database, run.id)
    row = ChampionRow(
        experiment_id=experiment_id,
        challenger_key=run.fitted_model_key,
        champion_key=champion.challenger_key if champion else None,
        split_id=run.split_id,
        metric=counted.name,
        test_rows=run.test_samples or 0,
        challenger_value=comparison.challenger if comparison else run.test_metrics.get(counted.name),
        champion_value=comparison.champion if comparison else None,
        gain=comparison.gain if comparison else None,
        gain_low=comparison.gain_low if comparison else None,
        gain_high=comparison.gain_high if comparison else None,
        promoted=found.promoted,
        reason=found.reason,
        model_folder=project.store.location(
            _champion_copy(project, experiment.name, run)
            if found.promoted
            else project.model_key(experiment.name, run.spec_hash)
        ),
        decision_threshold=run.decision_threshold,
        mlflow_model_version=version.model_version if version and run.mlflow_run_id else None,
    )
    store.decide(row, run, current_user(project.settings.environment))


class _NotComparableError(E2iError):
    """The champion cannot be evaluated on the current test rows."""


def _compared(
    project: Project,
    experiment: Experiment,
    rows: TrainingRows,
    run: StoredRun,
    champion: StoredDecision,
    counted: Measure,
) -> Comparison:
    if project.champions.config_hash(run.split_id) != champion.config_hash:
        raise _NotComparableError("the rows are split differently, and it may have been trained on these")
    truth, new = predicted_rows(project, experiment.name, run, rows.facts, rows.test)
    try:
        model = promoted_model(project, experiment.name, champion.challenger_key)
        if missing := sorted(set(model.feature_names_in_) - set(rows.facts.features)):
            raise _NotComparableError(f"it requires {', '.join(missing)}, which the rows no longer have")
        labels = () if model.classes_ is None else tuple(str(label) for label in model.classes_)
        if labels != tuple(rows.facts.classes):
            raise _NotComparableError(
                f"its classes are {', '.join(labels) or 'numbers'}, which differ from the current ones"
            )
        old = predicted_table(model, rows.test.features)
    except ModelInvalid as error:
        raise _NotComparableError(str(error)) from error
    found = compared(
        PairedRows(
            problem_type=experiment.problem_type,
            truth=truth,
            ordered=rows.facts.ordered,
            weights=rows.test.weights,
            groups=rows.test.entities,
        ),
        counted,
        Contender(new, run.decision_threshold),
        Contender(old, champion.decision_threshold),
        experiment.hpo.seed,
    )
    if found is None:
        raise _NotComparableError(f"{counted.name} cannot be computed on them")
    return found


def _failed_checks(project: Project, name: str) -> list[str]:
    verdicts = {one.name: evaluated(one, project, name) for one in REQUIRED_CHECKS}
    return [f"{check_spec}: {one.why}" for check_spec, one in verdicts.items() if one.outcome == "failed"]


def _measure(experiment: Experiment) -> Measure:
    return measure(experiment.metric, experiment.problem_type) or Measure(experiment.metric)


def _champion_copy(project: Project, name: str, run: StoredRun) -> str:
    """Copy the model to a key that no later training of the same study overwrites, and return the key."""
    key = project.champion_key(name, run.fitted_model_key)
    if not project.store.exists(key):
        with project.store.replacing(key) as fresh:
            shutil.copytree(project.model_folder(name, run.spec_hash), fresh, dirs_exist_ok=True)
    return key


def _set_aliases(project: Project, run: StoredRun, champion: StoredDecision | None) -> str:
    """Set the aliases in MLflow to the champion and the challenger. Best effort, like all of MLflow."""
    version = version_of(project.database, run.id)
    if version is None or run.mlflow_run_id is None or not version.model_version.isdigit():
        return "MLflow does not have the model"
    champions = champion.mlflow_model_version if champion else None
    return project.tracker().promote(
        version.model_name, int(version.model_version), int(champions) if champions and champions.isdigit() else None
    )
