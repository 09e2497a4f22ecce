"""What `best_hyperparameters` promises: the output contract, field by field, and nothing but the study's best trial."""

from e2i_assets.adapters.promises.promise import Promise, Verdict, document, stored, verdict
from e2i_assets.adapters.workspace import Workspace
from e2i_assets.core.algorithms import registry
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.contracts.violations import violations_of
from e2i_assets.core.search import tuning


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
    source = f"trial {output.hpo_best_trial}" if output.hpo_completed else "the defaults, no trial having completed"
    return verdict(mistakes, f"it is what the study says: {source}", best_trial=output.hpo_best_trial)


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
)
