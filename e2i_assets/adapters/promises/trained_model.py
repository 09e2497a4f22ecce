"""What `trained_model` promises: its contract, links that lead somewhere, and a model that is what its numbers say."""

from collections.abc import Iterator

from e2i_assets.adapters.promises import model_links
from e2i_assets.adapters.promises.promise import Promise, Verdict, document, held, stored, verdict
from e2i_assets.adapters.stored_model import judged_rows, predicted_rows
from e2i_assets.adapters.stores.run_store import RunStore, StoredRun
from e2i_assets.adapters.stores.version_store import version_of
from e2i_assets.adapters.tracking.models import ModelInvalid
from e2i_assets.adapters.workspace import Workspace
from e2i_assets.core.contracts.contract import HpoOutput, TrainingOutput
from e2i_assets.core.contracts.violations import training_violations_of
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.errors import E2iError
from e2i_assets.core.evaluation.success_criteria import criteria
from e2i_assets.core.evaluation.verdict import judged

TOLERANCE = 1e-9


def _contract(workspace: Workspace, name: str) -> Verdict:
    raw = document(workspace, "trained_model", name)
    hpo: HpoOutput = stored(workspace, HpoOutput, "best_hyperparameters", name)
    return verdict(
        training_violations_of(raw, hpo), "every field keeps the output contract, and is what the study said"
    )


def _row_is_complete(workspace: Workspace, name: str) -> Verdict:
    output: TrainingOutput = stored(workspace, TrainingOutput, "trained_model", name)
    rows: TrainingRows = stored(workspace, TrainingRows, "validation_splits", name)
    run = model_links.training_run(workspace, name)
    pairs = {
        "status": (run.status, "finished"),
        "training_samples": (run.training_samples, len(rows.train.target)),
        "validation_samples": (run.validation_samples, len(rows.validation.target)),
        "test_samples": (run.test_samples, len(rows.test.target)),
        "feature_names": (list(run.feature_names), list(rows.facts.features)),
        "hyperparameters": (run.hyperparameters, output.trained_model.hyperparameters),
        "validation_metrics": (run.validation_metrics, output.validation_metrics.all_metrics),
        "success_criteria_results": (run.success_criteria_results, output.success_criteria_results),
    }
    mistakes = [f"{field} is {here}, and should be {there}" for field, (here, there) in pairs.items() if here != there]
    mistakes += _version_mistakes(workspace, run)
    return verdict(mistakes, f"row {run.id} of ml_training_runs says what was trained", training_run=run.id)


def _version_mistakes(workspace: Workspace, run: StoredRun) -> Iterator[str]:
    """Hold the registered version of the model against its training run."""
    if run.model_key is None:  # trained before versions were registered
        return
    version = version_of(workspace.database, run.id)
    if version is None:
        yield "it names no version in ml_model_registry"
        return
    pairs = {
        "model_key": (version.model_key, run.model_key),
        "hyperparameters": (version.hyperparameters, run.hyperparameters),
        "training_samples": (version.training_samples, run.training_samples),
        "feature_count": (version.feature_count, len(run.feature_names)),
    }
    for field, (here, there) in pairs.items():
        if here != there:
            yield f"{field} is {here} in ml_model_registry, and should be {there}"


def _reloads(workspace: Workspace, name: str) -> Verdict:
    rows: TrainingRows = stored(workspace, TrainingRows, "validation_splits", name)
    run = model_links.training_run(workspace, name)
    try:
        again = _test_metrics(workspace, name, run, rows)
    except (ModelInvalid, E2iError, KeyError, ValueError) as error:
        return verdict([f"the stored model cannot judge the test rows: {error}"], "")
    mistakes = [
        f"{metric} on test is {run.test_metrics.get(metric)!r} in ml_training_runs, and {again.get(metric)!r} again"
        for metric in sorted({*again, *run.test_metrics})
        if not _same(run.test_metrics.get(metric), again.get(metric))
    ]
    return verdict(mistakes, f"the stored model has the same {len(again)} metrics on the test rows again", **again)


def _test_metrics(workspace: Workspace, name: str, run: StoredRun, rows: TrainingRows) -> dict[str, float]:
    truth, prediction = predicted_rows(workspace, name, run, rows.facts, rows.test)
    return judged_rows(rows.facts, run, rows.train, truth, prediction).metrics


def _same(kept: object, again: object) -> bool:
    if not isinstance(kept, int | float) or not isinstance(again, int | float):
        return False
    return abs(kept - again) <= TOLERANCE * max(1.0, abs(kept))


def _criteria(workspace: Workspace, name: str) -> Verdict:
    output: TrainingOutput = stored(workspace, TrainingOutput, "trained_model", name)
    experiment = workspace.experiment(name)
    if not output.success_criteria_results:
        return held("the experiment asks for nothing: it has no success criteria")
    run = RunStore(workspace.database).by_spec_hash(model_links.identity(workspace, name))
    asked = criteria(experiment.success_criteria, experiment.problem_type, experiment.metric)
    references = (run.baseline_test_metrics, run.default_test_metrics) if run else (None, None)
    again = judged(asked, run.test_metrics if run else {}, *references)
    reasons = {one.criterion.name: one.reason for one in again if one.value is not None}
    mistakes = [
        reasons.get(criterion, f"{criterion}: not met")
        for criterion, met in output.success_criteria_results.items()
        if not met
    ]
    facts = {f"{criterion}": met for criterion, met in output.success_criteria_results.items()}
    return verdict(mistakes, f"all {len(facts)} success criteria are met on the test rows", **facts)


PROMISES = (
    Promise(
        asset="trained_model",
        name="training_contract_holds",
        description="Every field has its type and range, and parameters and best trial are those of the study.",
        judge=_contract,
        blocking=True,
        answers_for_the_file=True,
    ),
    Promise(
        asset="trained_model",
        name="row_says_what_was_trained",
        description="Its row in ml_training_runs is finished, with the rows, features, parameters and metrics.",
        judge=_row_is_complete,
    ),
    Promise(
        asset="trained_model",
        name="links_lead_to_study_and_trial",
        description="Best trial, training run and MLflow run, followed by their ids, have the same parameters.",
        judge=model_links.linked,
    ),
    Promise(
        asset="trained_model",
        name="mlflow_keeps_the_run",
        description="The training is in MLflow, under the id that the row has.",
        judge=model_links.kept_in_mlflow,
        severity="WARN",
    ),
    Promise(
        asset="trained_model",
        name="reloads_and_predicts_the_same",
        description="Loaded from its folder, the model has the test metrics that were kept of it, to 1e-9.",
        judge=_reloads,
    ),
    Promise(
        asset="trained_model",
        name="success_criteria_are_met",
        description="The model is as good on the test rows as the experiment asks.",
        judge=_criteria,
        severity="WARN",
    ),
)
