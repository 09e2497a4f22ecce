"""The study of an experiment: its key, plan and objective, and the rows that evaluate its trials."""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict

from e2i_assets.core.algorithms import registry
from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.contracts.contract import AlgorithmResult
from e2i_assets.core.data.folds import folds
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.fit_context import FitContext, fit_context, target_codes
from e2i_assets.core.fitting.rows import RowSource
from e2i_assets.core.imbalance import Balancing, Imbalance, imbalance
from e2i_assets.core.search.cross_validation import on_folds
from e2i_assets.core.search.goals import goals, group_columns, limits
from e2i_assets.core.search.objective import Objective
from e2i_assets.core.search.objective_choice import ObjectiveChoice, is_decidable, used_objective
from e2i_assets.core.search.samplers import require
from e2i_assets.core.search.schemes import OnValidation, Scheme
from e2i_assets.core.search.search_failure import SearchFailure, require_rows
from e2i_assets.core.search.study_plan import StudyPlan
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search_space.space import as_documents

SECONDS_PER_HOUR = 3600.0
_EVALUATION_FIELDS = {"objective", "folds", "repeats", "objectives", "constraints", "tolerance"}
_SEARCH_FIELDS = {"enabled", "sampler", "seed"}


def defaults(experiment: Experiment) -> dict[str, Any]:
    """Return the default parameters of the algorithm, with the cap of rounds."""
    return experiment.default_parameters()


def fixed(experiment: Experiment) -> dict[str, Any]:
    """Return the parameters that are never tuned: those of the algorithm, overridden by those of the experiment."""
    return experiment.fixed_parameters()


def patience(experiment: Experiment) -> int | None:
    """Return the number of rounds without improvement before early stopping; None for no early stopping."""
    return experiment.early_stopping.patience if experiment.early_stopping.enabled else None


def spec_hash(experiment: Experiment, facts: SplitFacts) -> str:
    """Return the study key of an experiment: a hash of everything that decides the values of its trials, and its name.

    The key does not depend on the budget, so a larger budget resumes the same study. It depends on the name, so two
    experiments with equal settings and rows each have a study, a model and a champion.
    """
    # Earlier releases fitted the target in its original unit, and their trials have other values.
    unit = {"target_spread": registry.algorithm(experiment.algorithm).target_spread}
    order = {"order": facts.classes} if experiment.target.order is not None else {}
    return content_hash(
        {
            **(unit if facts.problem_type == "regression" else {}),
            **order,
            **({"weight": facts.weight} if facts.weight else {}),
            **({"loss": str(experiment.used_loss)} if experiment.loss != "squared_error" else {}),
            **({"monotone": experiment.columns.monotone} if experiment.columns.monotone else {}),
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
            "objective": {
                "patience": patience(experiment),
                **experiment.hpo.model_dump(include=_EVALUATION_FIELDS),
                # A key with auto belongs to no study: splits of earlier releases are then made again.
                "objective": used_objective(experiment, facts) if is_decidable(experiment, facts) else "auto",
            },
            "search": {**experiment.hpo.model_dump(include=_SEARCH_FIELDS), "pruner": experiment.hpo.used_pruner},
        }
    )


def study_name(experiment: Experiment, study_key: str) -> str:
    """Return the name of the study in the storage."""
    return f"e2i_{experiment.name}_{experiment.algorithm}_hpo_{study_key[:12]}"


def timeout_seconds(experiment: Experiment) -> float | None:
    """Return the limit on the wall-clock time of a search; None for no limit."""
    return None if experiment.hpo.timeout_hours is None else experiment.hpo.timeout_hours * SECONDS_PER_HOUR


def plan(experiment: Experiment, study_key: str, cores: int = 1) -> StudyPlan:
    """Return the search settings of an experiment.

    Args:
        experiment: The experiment to search.
        study_key: Its `spec_hash`.
        cores: Number of trials at a time if the experiment does not set it.

    Raises:
        E2iError: The sampler needs a package that is not installed.
    """
    hpo = experiment.hpo
    require(hpo.sampler)
    return StudyPlan(
        name=study_name(experiment, study_key),
        trials=hpo.trials,
        timeout_seconds=timeout_seconds(experiment),
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
    """Return the fit context of train and validation rows for the algorithm of the experiment."""
    algorithm = experiment.fitted_algorithm
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
    """Return how every fit handles imbalanced classes: decided once, from the train rows of the split."""
    choice = experiment.imbalance
    strategy = found_imbalance(experiment, facts, train).recommended if choice == "recommended" else choice
    return Balancing(strategy, experiment.hpo.seed)


def found_imbalance(experiment: Experiment, facts: SplitFacts, train: RowSource) -> Imbalance:
    """Return the class imbalance of the train rows."""
    grows_trees = any(registry.algorithm(one).family != "linear" for one in experiment.contenders)
    return imbalance(target_codes(train.target, facts.classes), facts.classes, grows_trees)


def scheme(experiment: Experiment, rows: SearchRows) -> Scheme:
    """Return the evaluation scheme of an experiment, with the rows prepared once for the whole study.

    Raises:
        MissingHpoData: There are no train rows or no validation rows.
        E2iError: The rows cannot be split into folds.
    """
    require_rows(rows)
    hpo = experiment.hpo
    if used_objective(experiment, rows.facts) == "validation":
        return OnValidation(experiment_fit_context(experiment, rows.facts, rows.train, rows.validation))
    if (experiment.columns.group or experiment.columns.id) and rows.groups is None:
        raise E2iError("the stored validation_splits have no groups of rows: materialise them again")
    return on_folds(
        experiment.fitted_algorithm,
        rows.facts,
        folds(rows, hpo.folds, hpo.repeats, hpo.seed),
        reported="each" if hpo.used_pruner == "wilcoxon" else "mean",
        group_columns=group_columns(experiment),
        balancing=balancing(experiment, rows.facts, rows.train),
    )


def objective(
    experiment: Experiment, rows: SearchRows, evaluated_by: Scheme | None = None
) -> Callable[[float], Objective]:
    """Return a function that makes the objective of the experiment for a deadline; the rows are prepared once.

    Args:
        experiment: The experiment to search.
        rows: Train and validation rows.
        evaluated_by: A scheme that evaluates the trials in other processes; None to evaluate them in this process.

    Raises:
        E2iError: The rows cannot be split into folds.
    """
    prepared = evaluated_by or scheme(experiment, rows)
    space = experiment.search_space()
    maximised, constraints = goals(experiment), limits(experiment)

    def until(deadline: float) -> Objective:
        return Objective(
            prepared,
            maximised,
            space,
            defaults(experiment),
            fixed(experiment),
            patience(experiment),
            limits=constraints,
            deadline=deadline,
        )

    return until


class Tuned(BaseModel):
    """A study key with the result of its study.

    Attributes:
        identity: The study key.
        result: The result of the study; None if the experiment does not search or the search could not start.
        failure: Why the search could not start.
        choice: With ``hpo.objective: auto``: how the trials were evaluated.
        algorithm: The algorithm that was chosen, if the experiment compares several.
        leaderboard: The compared algorithms, that to train first; None without a comparison.
        others: The studies of the other algorithms.
        budget: The number of trials that the algorithms shared.
    """

    model_config = ConfigDict(frozen=True)

    identity: str
    result: StudyResult | None
    failure: SearchFailure | None = None
    choice: ObjectiveChoice | None = None
    algorithm: str | None = None
    leaderboard: list[AlgorithmResult] | None = None
    others: "tuple[Tuned, ...] | None" = None
    budget: int | None = None

    def decided(self, experiment: Experiment) -> Experiment:
        """Return the experiment with the algorithm that was chosen: from here on there is one algorithm."""
        return experiment if self.algorithm is None else experiment.of(self.algorithm)


# The fields of a comparison, which are null without one.
OF_COMPARISONS = ("algorithm", "leaderboard", "others", "budget")
