"""The checks of `best_hyperparameters`: a valid contract, the study's best trial, and the constraints."""

import math
import warnings
from dataclasses import replace

from e2i_assets.core.algorithms import registry
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.contracts.violations import violations_of
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.figures import figure
from e2i_assets.core.search import tuning
from e2i_assets.core.search.goals import limits
from e2i_assets.core.search.study_output import output_of
from e2i_assets.services.checks.check import (
    CheckResult,
    check_result,
    decided_experiment,
    document,
    every_mistake,
    of_asset,
    passed,
    stored,
)
from e2i_assets.services.project import Project


@of_asset("best_hyperparameters", blocking=True, answers_for_the_file=True)
def output_contract_is_valid(project: Project, name: str) -> CheckResult:
    """All fields have valid types and values; parameters are valid, complete, and include the fixed ones unchanged."""
    raw = document(project, "best_hyperparameters", name)
    experiment = decided_experiment(project, name)
    algorithm = registry.algorithm(experiment.algorithm)
    rounds = algorithm.rounds_parameter
    mistakes = violations_of(
        raw,
        experiment.search_space(),
        tuning.fixed(experiment),
        tuning.defaults(experiment),
        frozenset({rounds} if rounds else ()),
    )
    values = raw.get("best_hyperparameters") if isinstance(raw, dict) else None
    unread = algorithm.unread(values, experiment.problem_type) if isinstance(values, dict) else []
    mistakes += [replace(one, where=f"best_hyperparameters.{one.where}") for one in unread]
    return every_mistake(mistakes, "every field satisfies the output contract")


@of_asset("best_hyperparameters", blocking=True)
def parameters_equal_the_best_trial(project: Project, name: str) -> CheckResult:
    """The hyperparameters to train with equal those of the stored study's best trial, field by field."""
    output: HpoOutput = stored(project, HpoOutput, "best_hyperparameters", name)
    tuned: tuning.Tuned = stored(project, tuning.Tuned, "hpo_study", name)
    by_study = output_of(project.experiment(name), tuned)
    given = output.model_dump()
    mistakes = [
        f"{field} is {given[field]!r}, and by the study {value!r}"
        for field, value in by_study.model_dump().items()
        if given[field] != value
    ]
    source = f"trial {output.hpo_best_trial}" if output.hpo_completed else "the defaults, no trial being the best"
    return every_mistake(mistakes, f"it is what the study says: {source}", **{"best trial": output.hpo_best_trial})


@of_asset("best_hyperparameters", blocking=True)
def constraints_are_satisfied(project: Project, name: str) -> CheckResult:
    """The hyperparameters to train with satisfy all constraints of the search, also if they are the defaults."""
    experiment = decided_experiment(project, name)
    output: HpoOutput = stored(project, HpoOutput, "best_hyperparameters", name)
    constraints = limits(experiment)
    if not constraints:
        return passed("the experiment sets no constraints")
    tuned: tuning.Tuned = stored(project, tuning.Tuned, "hpo_study", name)
    best = tuned.result.best if tuned.result else None
    whose = f"trial {best.number}" if best else "the model of the defaults, no trial being within them,"
    values = best.constraint_values if best else _of_the_defaults(project, name, output)
    mistakes = []
    for limit in constraints:
        value = values.get(limit.goal.name)
        if value is None:
            mistakes.append(f"{limit} is required, and the study did not measure it: materialise hpo_study again")
        elif limit.excess(value) > 0:
            mistakes.append(f"{limit} is required, and {whose} has {figure(value)}")
    facts = {one.goal.name: one.against(values.get(one.goal.name)) for one in constraints}
    return check_result(mistakes, f"{', '.join(map(str, constraints))}: {whose} satisfies them", **facts)


def _of_the_defaults(project: Project, name: str, output: HpoOutput) -> dict[str, float]:
    """Measure the defaults like a trial, because no study has done so."""
    rows: SearchRows = stored(project, SearchRows, "validation_splits", name)
    objective = tuning.objective(decided_experiment(project, name), rows)(math.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the training repeats these warnings
        wanted = [limit.goal for limit in objective.limits]
        return objective.scheme.outcome(output.best_hyperparameters, wanted, objective.patience).measures


CHECKS = (
    output_contract_is_valid,
    parameters_equal_the_best_trial,
    constraints_are_satisfied,
)
