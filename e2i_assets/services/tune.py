"""Runs a study in the database: Optuna's tables for the search, the ml_hpo tables for readers."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from e2i_assets.adapters.repositories.studies import StudyRepository
from e2i_assets.adapters.repositories.study_rows import StudyRow
from e2i_assets.adapters.trial_processes.limited import objective_within_limits
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.errors import E2iError, MissingHpoData
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fold_fit import final_folds
from e2i_assets.core.memory.warm_start import WarmStart
from e2i_assets.core.metrics import metric
from e2i_assets.core.search import tuning
from e2i_assets.core.search.algorithm_comparison import compared
from e2i_assets.core.search.budget import NO_OVERRIDE, BudgetOverride
from e2i_assets.core.search.final_model_choice import used_final_model
from e2i_assets.core.search.goals import goals, limits
from e2i_assets.core.search.objective_choice import objective_choice, used_objective
from e2i_assets.core.search.search_failure import SearchFailure, error_type, require_rows
from e2i_assets.core.search.study import search
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search.trials import TrialRecord
from e2i_assets.core.search_space.space import as_documents
from e2i_assets.services.project import Project
from e2i_assets.services.workers.engines import worker_pool

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

OnTrial = Callable[[str, TrialRecord, float | None], None]
_LINE_EVERY_SECONDS = 5.0
_TRIALS_FOR_IMPORTANCES = 8


def tuned(
    project: Project,
    experiment: Experiment,
    rows: SearchRows,
    warm_start: WarmStart,
    notify: Callable[[str], object],
    on_trial: OnTrial = lambda algorithm, trial, best: None,
    override: BudgetOverride = NO_OVERRIDE,
) -> tuning.Tuned:
    """Run the search of the experiment. If it is off, or there is nothing to tune, there is no study.

    Algorithms that the experiment compares have a study each.

    Args:
        project: The project.
        experiment: The experiment to tune.
        rows: Train and validation rows.
        warm_start: The first configurations.
        notify: Called with a line of progress every few seconds.
        on_trial: Called with the algorithm, each of its finished trials, and its best value so far.
        override: What of the experiment's budget this call has set; the study's row records it.
    """
    choice = objective_choice(experiment, rows.facts) if experiment.hpo.objective == "auto" else None
    several = len(experiment.contenders) > 1
    first = experiment.of(experiment.contenders[0])
    identity = tuning.spec_hash(first, rows.facts)
    if not experiment.is_searched:
        return tuning.Tuned(identity=identity, result=None)
    if choice:
        notify(f"trials are evaluated by {choice.objective}: {choice.reason}")

    def searched(of: Experiment) -> StudyResult:
        lines = _ProgressLines(of, notify, f"{of.algorithm}: " if several else "")

        def report_trial(trial: TrialRecord, best: float | None) -> None:
            lines.report_trial(trial, best)
            on_trial(of.algorithm, trial, best)

        return durable_search(project, of, rows, warm_start.of(of.algorithm), report_trial, notify, override)

    try:
        if several:
            order = tuple(warm_start.contenders or experiment.contenders)
            return compared(experiment, order, rows, searched, notify).model_copy(update={"choice": choice})
        result = searched(first)
    except MissingHpoData as error:
        failure = SearchFailure(error=str(error), error_type=error_type(type(error).__name__))
        chosen = first.algorithm if several else None
        return tuning.Tuned(identity=identity, result=None, failure=failure, choice=choice, algorithm=chosen)
    if result.resumed_from:  # otherwise a complete study would report nothing
        notify(f"{result.resumed_from} of {result.n_trials} trials are from an earlier run; {result.stop_reason}")
    return tuning.Tuned(identity=identity, result=result, choice=choice)


class _ProgressLines:
    """Limits progress lines to one every few seconds; the last one is always reported."""

    def __init__(self, experiment: Experiment, notify: Callable[[str], object], prefix: str) -> None:
        self._prefix = prefix
        self._budget = experiment.hpo.trials
        self._metric = metric(experiment.metric, experiment.problem_type)
        self._notify = notify
        self._next = 0.0

    def report_trial(self, trial: TrialRecord, best: float | None) -> None:
        now = time.monotonic()
        if now >= self._next or trial.number + 1 >= self._budget:
            self._next = now + _LINE_EVERY_SECONDS
            so_far = "none yet" if best is None else f"{self._metric.oriented(best):.6g}"
            self._notify(
                f"{self._prefix}trial {trial.number + 1} of {self._budget} {trial.state}, "
                f"best {self._metric.name} so far {so_far}"
            )


def durable_search(
    project: Project,
    experiment: Experiment,
    rows: SearchRows,
    warm_start: WarmStart,
    on_trial: Callable[[TrialRecord, float | None], None],
    notify: Callable[[str], object] = lambda line: None,
    override: BudgetOverride = NO_OVERRIDE,
) -> StudyResult:
    """Run or resume the experiment's study, possibly beside other processes. The tables are updated after each trial.

    Raises:
        MissingHpoData: There are no train or no validation rows; the study's row has the cause too.
        E2iError: The engine of the experiment cannot be used, or the rows have no folds for the final model.
    """
    try:
        require_rows(rows)
    except MissingHpoData as error:
        store, identity = project.studies, tuning.spec_hash(experiment, rows.facts)
        store.fail(store.start(_row(project, experiment, rows, identity, override)), str(error))
        raise
    if used_final_model(experiment, rows.facts) == "folds":
        next(final_folds(experiment, rows))  # an error before the search, not after it
    from e2i_assets.adapters.optuna_storage.study_session import joined

    database = project.database
    identity = tuning.spec_hash(experiment, rows.facts)
    plan = tuning.plan(experiment, identity, project.settings.cores)
    if warm_start.tries:  # proposals of the memory are better start-up trials than random ones
        plan = replace(plan, startup_trials=warm_start.tries)
    store = StudyRepository(database)
    with objective_within_limits(experiment, rows) as objective_until:
        study_id = store.start(_row(project, experiment, rows, identity, override))
        lease = project.settings.lease_seconds
        with _failure_recorded(store, study_id), joined(database, study_id, plan.trials, lease) as own:
            with worker_pool(project, experiment, rows, warm_start, own, notify) as others:
                coordination = own.coordination(worker_pool=others)
                result = search(objective_until, plan, own.storage, warm_start.proposer(), on_trial, coordination)
            finish(store, study_id, result)
    return result


@contextmanager
def _failure_recorded(store: StudyRepository, study_id: str) -> Iterator[None]:
    """Mark a study that ends by an exception as failed with the reason, so that its row is not left as "running"."""
    try:
        yield
    except BaseException as error:
        # If the database is the cause, the next call corrects the row.
        message = str(error) if isinstance(error, E2iError) else f"{type(error).__name__}: {error}"
        store.fail_if_possible(study_id, message)
        raise


def storage(project: Project) -> "RDBStorage":
    """Return Optuna's storage; `migrations` creates its tables."""
    from e2i_assets.adapters.optuna_storage.study_session import optuna_storage

    return optuna_storage(project.database)


def importances(project: Project, result: StudyResult) -> dict[str, float]:
    """Return the importance of each parameter for the first objective (PED-ANOVA); empty with too few trials."""
    import optuna

    if result.count("COMPLETE") < _TRIALS_FOR_IMPORTANCES:
        return {}
    study = optuna.load_study(study_name=result.study_name, storage=storage(project))
    if len(result.objectives.greater_is_better) == 1:
        return dict(optuna.importance.get_param_importances(study))
    with warnings.catch_warnings():
        # With a target, the evaluator minimizes and warns about it; hence the sign.
        warnings.filterwarnings("ignore", "PedAnovaImportanceEvaluator computes the importances")
        return dict(optuna.importance.get_param_importances(study, target=lambda trial: -trial.values[0]))


def finish(store: StudyRepository, study_id: str, result: StudyResult) -> None:
    """Update the study's row with the outcome of the study."""
    best = result.best
    store.finish(
        study_id,
        [trial.number for trial in result.pareto_front],
        status=result.status,
        best_trial_number=best.number if best else None,
        best_value=best.value if best else None,
        best_params=best.params if best else {},
        default_value=result.default_value,
        duration_seconds=result.duration_seconds,
        stop_reason=result.stop_reason,
        error_message=result.failure or (None if best else result.stop_reason),
    )


def _row(
    project: Project, experiment: Experiment, rows: SearchRows, identity: str, override: BudgetOverride
) -> StudyRow:
    experiment_id = project.experiments.id_of(experiment.name)
    return StudyRow(
        study_name=tuning.study_name(experiment, identity),
        spec_hash=identity,
        experiment_id=experiment_id,
        split_id=project.splits.id_of(experiment_id, rows.facts.split_hash),
        data_hash=rows.facts.data_hash,
        algorithm_name=experiment.algorithm,
        problem_type=experiment.problem_type,
        sampler_name=experiment.hpo.sampler,
        pruner_name=experiment.hpo.used_pruner,
        metric=experiment.metric,
        seed=experiment.hpo.seed,
        search_space=as_documents(experiment.search_space()),
        fixed_params=tuning.fixed(experiment),
        n_trials=experiment.hpo.trials,
        budget_override=override.given,
        objective=used_objective(experiment, rows.facts),
        objectives=[{"name": one.name, "greater_is_better": one.greater_is_better} for one in goals(experiment)],
        constraints={limit.goal.name: limit.bound for limit in limits(experiment)},
    )
