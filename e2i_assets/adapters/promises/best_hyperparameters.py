"""What `best_hyperparameters` promises: the contract, nothing but the study's best trial, and the constraints."""

import math
import warnings

from e2i_assets.adapters.promises.promise import Promise, Verdict, document, held, stored, verdict
from e2i_assets.adapters.workspace import Workspace
from e2i_assets.core.algorithms import registry
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.contracts.violations import violations_of
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.search import tuning
from e2i_assets.core.search.goals import limits


def _contract(workspace: Workspace, name: str) -> Verdict:
    raw = document(workspace, "best_hyperparameters", name)
    experiment = workspace.experiment(name)
    rounds = registry.algorithm(experiment.algorithm).rounds_parameter
    mistakes = violations_of(
        raw,
        experiment.search_space(),
        tuning.fixed(experiment),
        tuning.defaults(experiment),
        frozenset({rounds} if rounds else ()),
    )
    return verdict(mistakes, "every field keeps the output contract")


def _of_the_best_trial(workspace: Workspace, name: str) -> Verdict:
    output: HpoOutput = stored(workspace, HpoOutput, "best_hyperparameters", name)
    tuned: tuning.Tuned = stored(workspace, tuning.Tuned, "hpo_study", name)
    expected = tuning.hpo_output(workspace.experiment(name), tuned.identity, tuned.result).model_dump()
    given = output.model_dump()
    mistakes = [
        f"{field} is {given[field]!r}, and by the study {value!r}"
        for field, value in expected.items()
        if given[field] != value
    ]
    source = f"trial {output.hpo_best_trial}" if output.hpo_completed else "the defaults, no trial being the best"
    return verdict(mistakes, f"it is what the study says: {source}", best_trial=output.hpo_best_trial)


def _constraints(workspace: Workspace, name: str) -> Verdict:
    experiment = workspace.experiment(name)
    output: HpoOutput = stored(workspace, HpoOutput, "best_hyperparameters", name)
    kept = limits(experiment)
    if not kept:
        return held("the experiment sets no constraints")
    tuned: tuning.Tuned = stored(workspace, tuning.Tuned, "hpo_study", name)
    best = tuned.result.best if tuned.result else None
    whose = f"trial {best.number}" if best else "the model of the defaults, no trial being within them,"
    values = best.constraint_values if best else _of_the_defaults(workspace, name, output)
    mistakes = []
    for limit in kept:
        value = values.get(limit.goal.name)
        if value is None:
            mistakes.append(f"{limit} is asked for, and the study did not measure it: materialise hpo_study again")
        elif limit.excess(value) > 0:
            mistakes.append(f"{limit} is asked for, and {whose} has {value:g}")
    return verdict(mistakes, f"{', '.join(map(str, kept))}: {whose} keeps to it", **values)


def _of_the_defaults(workspace: Workspace, name: str, output: HpoOutput) -> dict[str, float]:
    """Measure what would be trained, judged as a trial is; no study has done it."""
    rows: SearchRows = stored(workspace, SearchRows, "validation_splits", name)
    objective = tuning.objective(workspace.experiment(name), rows)(math.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the training says them again
        wanted = [limit.goal for limit in objective.limits]
        return objective.scheme.outcome(output.best_hyperparameters, wanted, objective.patience).measures


PROMISES = (
    Promise(
        asset="best_hyperparameters",
        name="output_contract_holds",
        description="Every field has its type and range; parameters are legal, fixed ones kept, none missing or extra.",
        judge=_contract,
        blocking=True,
        answers_for_the_file=True,
    ),
    Promise(
        asset="best_hyperparameters",
        name="equals_the_best_trial_of_the_study",
        description="What will be trained is what was tuned: field by field what the stored study says.",
        judge=_of_the_best_trial,
        blocking=True,
    ),
    Promise(
        asset="best_hyperparameters",
        name="constraints_are_kept",
        description="What will be trained keeps to every constraint of the search, defaults included.",
        judge=_constraints,
        blocking=True,
    ),
)
