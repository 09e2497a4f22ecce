"""A study that lives in the database: Optuna's tables for the search, ours for everybody who wants to look at it."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from e2i_assets.adapters.stores.experiment_store import ExperimentStore
from e2i_assets.adapters.stores.split_store import SplitStore
from e2i_assets.adapters.stores.study_store import StudyRow, StudyStore, TrialRow
from e2i_assets.adapters.workspace import Workspace
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.errors import StudyAborted
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.patterns import WarmStart
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study import search
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search.trials import TrialRecord
from e2i_assets.core.search_space.space import as_documents

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

OnTrial = Callable[[TrialRecord, float | None], None]
_LINE_EVERY_SECONDS = 5.0
_TRIALS_FOR_IMPORTANCES = 8


def tuned(
    workspace: Workspace, experiment: Experiment, rows: SearchRows, warm_start: WarmStart, say: Callable[[str], object]
) -> tuning.Tuned:
    """Search as the experiment asks; with the search off, or nothing to tune, there is no study.

    Args:
        workspace: The project.
        experiment: What to search.
        rows: Train and validation rows.
        warm_start: What to try first.
        say: Takes a line of progress, at a human pace.
    """
    identity = tuning.spec_hash(experiment, rows.facts)
    if not experiment.hpo.enabled or not experiment.search_space():
        return tuning.Tuned(identity=identity, result=None)
    pace = _Pace(experiment, say)
    return tuning.Tuned(identity=identity, result=durable_search(workspace, experiment, rows, warm_start, pace.told))


class _Pace:
    """Lets a line of progress through every few seconds, and the last one always."""

    def __init__(self, experiment: Experiment, say: Callable[[str], object]) -> None:
        self._budget = experiment.hpo.trials
        self._metric = experiment.metric
        self._say = say
        self._next = 0.0

    def told(self, trial: TrialRecord, best: float | None) -> None:
        now = time.monotonic()
        if now >= self._next or trial.number + 1 >= self._budget:
            self._next = now + _LINE_EVERY_SECONDS
            so_far = "none yet" if best is None else f"{best:.6g}"
            self._say(f"trial {trial.number + 1} of {self._budget} {trial.state}, best {self._metric} so far {so_far}")


def durable_search(
    workspace: Workspace, experiment: Experiment, rows: SearchRows, warm_start: WarmStart, on_trial: OnTrial
) -> StudyResult:
    """Run or resume the experiment's study, one process at a time, following it in the tables trial by trial.

    Raises:
        StudyAborted: Trials only failed; the study's row says so too.
    """
    identity = tuning.spec_hash(experiment, rows.facts)
    plan = tuning.plan(experiment, identity)
    store = StudyStore(workspace.database)
    with workspace.database.advisory_lock(f"study {identity}"):
        study_id = store.start(_row(workspace, experiment, rows, identity))

        def follow(trial: TrialRecord, best: float | None) -> None:
            store.record_trials(study_id, [trial_row(trial)])
            on_trial(trial, best)

        try:
            result = search(
                tuning.objective(experiment, rows),
                plan,
                storage(workspace),
                [configuration.proposal() for configuration in warm_start.configurations],
                follow,
            )
        except StudyAborted as error:
            store.fail(study_id, str(error))
            raise
        store.record_trials(study_id, [trial_row(trial) for trial in result.trials])
        finish(store, study_id, result)
    return result


def storage(workspace: Workspace) -> "RDBStorage":
    """Return Optuna's storage; its tables are made by `migrations`."""
    from optuna.storages import RDBStorage

    url = workspace.database.url_for("optuna")
    return RDBStorage(url, engine_kwargs={"pool_size": 2, "max_overflow": 2, "pool_pre_ping": True})


def importances(workspace: Workspace, result: StudyResult) -> dict[str, float]:
    """Return how much each parameter matters (PED-ANOVA), empty while there are too few completed trials to say."""
    import optuna

    if result.count("COMPLETE") < _TRIALS_FOR_IMPORTANCES:
        return {}
    study = optuna.load_study(study_name=result.study_name, storage=storage(workspace))
    return dict(optuna.importance.get_param_importances(study))


def finish(store: StudyStore, study_id: str, result: StudyResult) -> None:
    """Bring the study's row to how the study ended."""
    best = result.best
    store.finish(
        study_id,
        status=result.status,
        n_completed=result.count("COMPLETE"),
        n_pruned=result.count("PRUNED"),
        n_failed=result.count("FAIL"),
        best_trial_number=best.number if best else None,
        best_value=best.value if best else None,
        best_params=best.params if best else {},
        default_value=result.default_value,
        duration_seconds=result.duration_seconds,
        stop_reason=result.stop_reason,
        error_message=None if best else result.stop_reason,
    )


def trial_row(trial: TrialRecord) -> TrialRow:
    """Return a trial as our table has it: its parameters are the ones it was fitted with."""
    return TrialRow(
        trial_number=trial.number,
        state=trial.state,
        origin=trial.origin,
        params=trial.params,
        value=trial.value,
        intermediate_values={str(step): value for step, value in trial.intermediate_values.items()},
        datetime_start=trial.started_at,
        datetime_complete=trial.completed_at,
        duration_seconds=trial.seconds,
        error_type=trial.error_type,
        error_message=trial.error_message,
        user_attrs={
            **trial.attributes,
            "sampled": trial.sampled,
            "rounds": trial.rounds,
            "stopped_early": trial.stopped_early,
        },
    )


def _row(workspace: Workspace, experiment: Experiment, rows: SearchRows, identity: str) -> StudyRow:
    experiment_id = ExperimentStore(workspace.database).id_of(experiment.name)
    return StudyRow(
        study_name=tuning.study_name(experiment, identity),
        spec_hash=identity,
        experiment_id=experiment_id,
        split_id=SplitStore(workspace.database).id_of(experiment_id, rows.facts.split_hash),
        data_hash=rows.facts.data_hash,
        algorithm_name=experiment.algorithm,
        problem_type=experiment.problem_type,
        sampler_name=experiment.hpo.sampler,
        pruner_name=experiment.hpo.pruner,
        metric=experiment.metric,
        seed=experiment.hpo.seed,
        search_space=as_documents(experiment.search_space()),
        fixed_params=tuning.fixed(experiment),
        n_trials=experiment.hpo.trials,
    )
