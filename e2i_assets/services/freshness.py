"""Whether all assets of an experiment are up to date, so that a second run makes only the missing parts."""

from collections.abc import Collection

from e2i_assets.adapters.files.asset_values import AssetDamaged, AssetMissing
from e2i_assets.adapters.repositories.study_rows import StoredStudy
from e2i_assets.adapters.repositories.test_access import segments_of
from e2i_assets.adapters.sources import datasets
from e2i_assets.core.data.dataset import Dataset, dataset_of
from e2i_assets.core.data.split_tables import SplitFacts
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.search import tuning
from e2i_assets.core.search.final_model_choice import used_final_model
from e2i_assets.services import data_gates
from e2i_assets.services.project import Project
from e2i_assets.services.track_runs import is_waiting


def is_complete(project: Project, experiment: Experiment) -> bool:
    """Return whether the current rows and the current experiment have a finished, stored training.

    Reads the source, because content decides, not time stamps. With a larger budget the experiment is not complete.
    """
    try:
        facts: SplitFacts = project.read(SplitFacts, "validation_splits", experiment.name)
    except (AssetMissing, AssetDamaged):
        return False
    if not is_trained(project, experiment, facts):  # before the source, which the run reads
        return False
    raw = datasets.load(experiment.source, project.settings.root, project.settings.environment)
    data = dataset_of(raw, experiment, profiled=False)
    return data.data_hash == facts.data_hash and _gates_open(project, experiment, data)


def is_trained(project: Project, experiment: Experiment, facts: SplitFacts) -> bool:
    """Return whether the current experiment has a finished training on these splits."""
    if len(experiment.contenders) == 1:
        return _is_trained(project, experiment, facts)
    try:
        tuned: tuning.Tuned = project.read(tuning.Tuned, "hpo_study", experiment.name)
    except (AssetMissing, AssetDamaged):
        return False
    return _is_compared(tuned, experiment, facts) and _is_trained(project, _as_searched(tuned, experiment), facts)


def _is_compared(tuned: tuning.Tuned, experiment: Experiment, facts: SplitFacts) -> bool:
    """Return whether a search has compared the algorithms of an experiment on these rows, in its whole budget."""
    studies = {one.algorithm: one for one in (tuned, *(tuned.others or ()))}
    if (tuned.budget or 0) < experiment.hpo.trials or set(studies) != set(experiment.contenders):
        return False
    return all(
        one.result is not None
        and one.result.stop_reason != "time is up"
        and one.identity == tuning.spec_hash(one.decided(experiment), facts)
        for one in studies.values()
    )


def _as_searched(tuned: tuning.Tuned, experiment: Experiment) -> Experiment:
    """Return the experiment with the chosen algorithm and the trials that it had of the budget."""
    decided = tuned.decided(experiment)
    had = min(tuned.result.n_trials, decided.hpo.trials) if tuned.result else decided.hpo.trials
    return decided.model_copy(update={"hpo": decided.hpo.model_copy(update={"trials": had})})


def _is_trained(project: Project, experiment: Experiment, facts: SplitFacts) -> bool:
    """Return the same for an experiment with one algorithm."""
    identity = tuning.spec_hash(experiment, facts)
    run = project.training_runs.by_spec_hash(identity)
    if (
        run is None
        or run.status != "finished"
        or not project.store.exists(project.model_key(experiment.name, identity))
    ):
        return False
    if run.final_model != used_final_model(experiment, facts):
        return False
    if project.champions.about(run.experiment_id, run.fitted_model_key) is None:
        return False
    judged_for = {one.column_name for one in segments_of(project.database, run.id)}
    if judged_for != set(experiment.segments):
        return False
    costs = None if experiment.costs is None else experiment.costs.model_dump()
    if (run.expected_costs or {}).get("costs") != costs:
        return False
    if not experiment.is_searched:
        return True
    study = project.studies.by_spec_hash(identity)
    return (
        study is not None
        and run.pattern_id is not None
        and (run.mlflow_run_id is not None or is_waiting(project, experiment.name, identity))
        and _searched_to_its_end(study, project.studies.pareto_set(study.id), experiment)
    )


def _gates_open(project: Project, experiment: Experiment, data: Dataset) -> bool:
    """Return whether the table passes its current schema file and quality report; a run reports why not."""
    try:
        data_gates.require_open(project.settings, experiment, data)
    except E2iError:
        return False
    return True


def _searched_to_its_end(study: StoredStudy, pareto_set: Collection[int], experiment: Experiment) -> bool:
    """Return whether another call would add no trial, because the study ended as the experiment configures."""
    spent = study.n_completed + study.n_pruned + study.n_failed
    if spent >= experiment.hpo.trials or (experiment.hpo.sampler == "grid" and study.stop_reason == "grid exhausted"):
        return True
    patience = experiment.hpo.stop_without_improvement
    if study.stop_reason != "no improvement" or patience is None or study.best_trial_number is None:
        return False
    return spent - max(study.best_trial_number, *pareto_set) > patience
