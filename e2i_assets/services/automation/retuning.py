"""Re-tuning: which models are due, and the search budget of a re-tune."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from e2i_assets.adapters.repositories.results import last_finished
from e2i_assets.adapters.repositories.run_requests import Cause, RunRequest
from e2i_assets.adapters.repositories.study_rows import TrialRow
from e2i_assets.core.automation.new_experiments import run_key
from e2i_assets.core.automation.retuning import decision, trials
from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.data.split_tables import SplitFacts
from e2i_assets.core.errors import ExperimentInvalid
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.search import tuning
from e2i_assets.core.search.trials import has_cost
from e2i_assets.services.project import Project

CAUSE: Cause = "age"
# Causes of runs that are re-tunes.
RETUNES: frozenset[str] = frozenset({"age", "drifted_data"})


def due(project: Project, under_way: Collection[str]) -> tuple[Sequence[RunRequest], Mapping[str, str]]:
    """Record which models are outdated; return the due runs, and for each other experiment why it has none."""
    store, trained = project.run_requests, last_finished(project.database)
    busy, requested = {*under_way, *store.waiting_experiments()}, store.last(CAUSE)
    whys: dict[str, str] = {}
    for row in project.experiments.watched():
        name = row.experiment_name
        try:
            experiment = experiment_from(row.spec, f"experiment {name}")
        except ExperimentInvalid as mistakes:
            whys[name] = str(mistakes)
            continue
        moment, before = trained.get(name), requested.get(name)
        found = content_hash({"trained": moment.isoformat() if moment else None})
        one = decision(
            moment,
            datetime.now(UTC),
            experiment.watch.retune_after_days,
            experiment.is_searched,
            before is not None and before.content_hash == found,
            name in busy,
        )
        if not one.run:
            whys[name] = one.why
            continue
        key = run_key(name, CAUSE, found, before.times if before else 0)
        store.record([RunRequest(run_key=key, experiment=name, cause=CAUSE, content_hash=found, reason=one.why)])
    return store.waiting(CAUSE), whys


def with_retune_budget(
    project: Project, experiment: Experiment, facts: SplitFacts, cause: str | None, asked_at: datetime
) -> Experiment:
    """Return an experiment with the search budget for a run of this cause.

    The budget of a re-tune is what the study of these rows had spent when the run was requested, plus a small addition.
    A retry of the run has the same budget, whatever earlier attempts have spent.
    """
    if cause not in RETUNES:
        return experiment
    store = project.studies
    keys = [tuning.spec_hash(experiment.of(one), facts) for one in experiment.contenders]
    studies = [study for key in keys if (study := store.by_spec_hash(key))]
    spent = sum(_had_cost(trial, asked_at) for study in studies for trial in store.trials(study.id))
    # Algorithms that are compared need a trial each.
    budget = max(trials(experiment.hpo.trials, spent), len(experiment.contenders))
    return experiment.model_copy(update={"hpo": experiment.hpo.model_copy(update={"trials": budget})})


def _had_cost(trial: TrialRow, moment: datetime) -> bool:
    """Return whether a trial had used part of the budget at this time."""
    ended = trial.datetime_complete
    return has_cost(trial.state, trial.error_type) and ended is not None and ended <= moment
