"""From an experiment and its rows to a study, and from the study to the parameters that are trained."""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict

from e2i_assets.core.algorithms import registry
from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.folds import folds
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.fit_context import FitContext, fit_context, merged, target_codes
from e2i_assets.core.fitting.rows import RowSource
from e2i_assets.core.imbalance import Balancing, Imbalance, imbalance
from e2i_assets.core.search.folds import on_folds
from e2i_assets.core.search.goals import goals, group_columns, limits
from e2i_assets.core.search.objective import Objective
from e2i_assets.core.search.samplers import require
from e2i_assets.core.search.schemes import OnValidation, Scheme
from e2i_assets.core.search.search_failure import SearchFailure, failure_of, require_rows
from e2i_assets.core.search.study_plan import StudyPlan
from e2i_assets.core.search.study_result import OUTSIDE, StudyResult
from e2i_assets.core.search_space.space import as_documents

SECONDS_PER_HOUR = 3600.0
_JUDGING = {"objective", "folds", "repeats", "objectives", "constraints", "tolerance"}
_SEARCHING = {"enabled", "sampler", "seed"}


def defaults(experiment: Experiment) -> dict[str, Any]:
    """Return the parameters that a search starts from: the algorithm's own, with the cap of rounds."""
    return experiment.default_parameters()


def fixed(experiment: Experiment) -> dict[str, Any]:
    """Return what is never tuned: the algorithm's fixed parameters, overridden by the experiment's."""
    return experiment.fixed_parameters()


def patience(experiment: Experiment) -> int | None:
    """Return after how many rounds without improvement a booster stops, None for never."""
    return experiment.early_stopping.patience if experiment.early_stopping.enabled else None


def spec_hash(experiment: Experiment, facts: SplitFacts) -> str:
    """Return the identity of an experiment's study: everything that decides what a trial's value is, and whose it is.

    The budget is not in it: a larger budget resumes the same study. The name is: two experiments that ask the same of
    the same rows have a study, a model and a champion each.
    """
    # Trials of a release that learnt the target in its own unit have other values.
    unit = {"target_spread": registry.algorithm(experiment.algorithm).target_spread}
    return content_hash(
        {
            **(unit if facts.problem_type == "regression" else {}),
            "experiment": experiment.name,
            "data_hash": facts.data_hash,
            "split_hash": facts.split_hash,
            "target": facts.target,
            "features": facts.features,
            "algorithm": experiment.algorithm,
            "search_space": as_documents(experiment.search_space()),
            "defaults": defaults(experiment),
            "fixed": fixed(experiment),
            "metric": experiment.metric,
            "imbalance": experiment.imbalance,
            "objective": {"patience": patience(experiment), **experiment.hpo.model_dump(include=_JUDGING)},
            "search": {**experiment.hpo.model_dump(include=_SEARCHING), "pruner": experiment.hpo.used_pruner},
        }
    )


def study_name(experiment: Experiment, identity: str) -> str:
    """Return the name under which everything finds the study."""
    return f"e2i_{experiment.name}_{experiment.algorithm}_hpo_{identity[:12]}"


def plan(experiment: Experiment, identity: str, cores: int = 1) -> StudyPlan:
    """Return how the experiment asks to be searched; null is no time limit, and fractions of an hour count.

    Args:
        experiment: What to search.
        identity: Its `spec_hash`.
        cores: Trials at a time when the experiment does not say.

    Raises:
        E2iError: The sampler needs a package that is not installed.
    """
    hpo = experiment.hpo
    require(hpo.sampler)
    return StudyPlan(
        name=study_name(experiment, identity),
        trials=hpo.trials,
        timeout_seconds=None if hpo.timeout_hours is None else hpo.timeout_hours * SECONDS_PER_HOUR,
        sampler=hpo.sampler,
        pruner=hpo.used_pruner,
        seed=hpo.seed,
        workers=hpo.workers or cores,
        stop_without_improvement=hpo.stop_without_improvement,
        max_failures=hpo.max_failures,
        tolerance=hpo.tolerance,
    )


def experiment_fit_context(
    experiment: Experiment, facts: SplitFacts, train: RowSource, validation: RowSource
) -> FitContext:
    """Prepare train and validation rows for the experiment's algorithm."""
    algorithm = registry.algorithm(experiment.algorithm)
    return fit_context(
        algorithm,
        facts.task,
        train,
        validation,
        facts.classes,
        group_columns(experiment),
        balancing(experiment, facts, train),
    )


def balancing(experiment: Experiment, facts: SplitFacts, train: RowSource) -> Balancing:
    """Return what every fit does about uneven classes: decided once, by the train rows of the split."""
    choice = experiment.imbalance
    strategy = found_imbalance(experiment, facts, train).recommended if choice == "recommended" else choice
    return Balancing(strategy, experiment.hpo.seed)


def found_imbalance(experiment: Experiment, facts: SplitFacts, train: RowSource) -> Imbalance:
    """Judge the classes of the train rows."""
    grows_trees = registry.algorithm(experiment.algorithm).family != "linear"
    return imbalance(target_codes(train.target, facts.classes), facts.classes, grows_trees)


def scheme(experiment: Experiment, rows: SearchRows) -> Scheme:
    """Prepare the rows, once for the whole study, for the way in which its trials are judged.

    Raises:
        MissingHpoData: There is no train or no validation row.
        E2iError: They cannot be folded.
    """
    require_rows(rows)
    hpo = experiment.hpo
    if hpo.objective == "validation":
        return OnValidation(experiment_fit_context(experiment, rows.facts, rows.train, rows.validation))
    if (experiment.columns.group or experiment.columns.id) and rows.groups is None:
        raise E2iError("the stored validation_splits do not say which rows belong together: materialise them again")
    return on_folds(
        registry.algorithm(experiment.algorithm),
        rows.facts,
        folds(rows, hpo.folds, hpo.repeats, hpo.seed),
        told="each" if hpo.used_pruner == "wilcoxon" else "mean",
        group_columns=group_columns(experiment),
        balancing=balancing(experiment, rows.facts, rows.train),
    )


def objective(
    experiment: Experiment, rows: SearchRows, judged_by: Scheme | None = None
) -> Callable[[float], Objective]:
    """Return what makes the experiment's objective for a deadline; the rows are prepared once.

    Args:
        experiment: What to search.
        rows: Train and validation rows.
        judged_by: How trials are judged, where that is not in this process.

    Raises:
        E2iError: The rows cannot be folded.
    """
    prepared = judged_by or scheme(experiment, rows)
    space = experiment.search_space()
    asked, kept = goals(experiment), limits(experiment)

    def until(deadline: float) -> Objective:
        return Objective(
            prepared,
            asked,
            space,
            defaults(experiment),
            fixed(experiment),
            patience(experiment),
            limits=kept,
            deadline=deadline,
        )

    return until


class Tuned(BaseModel):
    """A study with its identity.

    Attributes:
        result: None when the experiment does not search, and when the search could not begin.
        failure: Why it could not begin.
    """

    model_config = ConfigDict(frozen=True)

    identity: str
    result: StudyResult | None
    failure: SearchFailure | None = None


def hpo_output(
    experiment: Experiment, identity: str, result: StudyResult | None, failure: SearchFailure | None = None
) -> HpoOutput:
    """Return the output contract of a study: defaults, overridden by its best trial, then by the fixed parameters.

    Without a trial that may be trained the parameters are the defaults, and the output names the cause.

    Args:
        experiment: What was searched.
        identity: Identity of the study.
        result: The study, None where there is none.
        failure: Why the search could not begin.
    """
    best = result.best if result else None
    if result is None or best is None:
        failed = failure_of(result) if result else failure
        off = failed.error if failed else "the search is off or has nothing to tune"
        return HpoOutput(
            hpo_completed=False,
            best_hyperparameters=merged(defaults(experiment), {}, fixed(experiment)),
            hpo_trials_run=result.count("COMPLETE") if result else 0,
            hpo_trials_pruned=result.count("PRUNED") if result else 0,
            hpo_trials_failed=result.count("FAIL") if result else 0,
            hpo_trials_begun=result.begun if result else None,
            hpo_duration_seconds=result.duration_seconds if result else 0.0,
            hpo_study_name=result.study_name if result else None,
            hpo_spec_hash=identity,
            hpo_metric=experiment.metric,
            hpo_stop_reason=_why_none(experiment, result) if result else off,
            error=failed.error if failed else None,
            error_type=failed.error_type if failed else None,
        )
    return HpoOutput(
        hpo_completed=True,
        best_hyperparameters=best.params,
        hpo_best_trial=best.number,
        hpo_best_value=best.value,
        hpo_best_stopped_early=best.stopped_early,
        hpo_default_value=result.default_value,
        hpo_trials_run=result.count("COMPLETE"),
        hpo_trials_pruned=result.count("PRUNED"),
        hpo_trials_failed=result.count("FAIL"),
        hpo_trials_begun=result.begun,
        hpo_duration_seconds=result.duration_seconds,
        hpo_study_name=result.study_name,
        hpo_spec_hash=identity,
        hpo_metric=experiment.metric,
        hpo_stop_reason=result.failure or result.stop_reason,
    )


def _why_none(experiment: Experiment, result: StudyResult) -> str:
    """Return why a study has no trial that may be trained, with how near the trials came to each constraint."""
    completed = [trial for trial in result.trials if trial.value is not None]
    if not completed:
        return result.stop_reason
    nearest = []
    for limit in limits(experiment):
        values = [trial.constraint_values[limit.goal.name] for trial in completed]
        nearest.append(f"{limit} (the nearest trial has {min(values, key=limit.excess):g})")
    ended = "" if result.stop_reason == OUTSIDE else f"{result.stop_reason}, and "
    return f"{ended}{OUTSIDE}: {', '.join(nearest)}"
