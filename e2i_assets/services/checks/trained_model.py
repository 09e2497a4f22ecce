"""The checks of `trained_model`: its contract, its links, and a model that reproduces its metrics."""

import math
from collections.abc import Iterator

import numpy as np

from e2i_assets.adapters.mlflow.models import ModelInvalid
from e2i_assets.adapters.repositories.models import version_of
from e2i_assets.adapters.repositories.training_runs import StoredRun
from e2i_assets.core.contracts.contract import HpoOutput, TrainingOutput
from e2i_assets.core.contracts.violations import training_violations_of
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.errors import E2iError
from e2i_assets.core.evaluation.success_criteria import criteria
from e2i_assets.core.evaluation.verdict import evaluated_criteria
from e2i_assets.core.figures import figure
from e2i_assets.services.checks import model_links
from e2i_assets.services.checks.check import (
    Check,
    CheckResult,
    Fact,
    NotEvaluated,
    check_result,
    document,
    every_mistake,
    of_asset,
    passed,
    stored,
)
from e2i_assets.services.project import Project
from e2i_assets.services.stored_model import evaluated_rows, predicted_rows, served_confusion

TOLERANCE = 1e-9


@of_asset("trained_model", blocking=True, answers_for_the_file=True)
def training_contract_is_valid(project: Project, name: str) -> CheckResult:
    """All fields have valid types and values, and parameters and best trial equal those of the study."""
    raw = document(project, "trained_model", name)
    hpo: HpoOutput = stored(project, HpoOutput, "best_hyperparameters", name)
    mistakes = training_violations_of(raw, hpo)
    return every_mistake(mistakes, "every field is valid and equals that of the study")


@of_asset("trained_model")
def training_run_row_is_complete(project: Project, name: str) -> CheckResult:
    """Its row in ml_training_runs is finished and has the rows, features, parameters and metrics."""
    output: TrainingOutput = stored(project, TrainingOutput, "trained_model", name)
    rows: TrainingRows = stored(project, TrainingRows, "validation_splits", name)
    run = model_links.training_run(project, name)
    pairs = {
        "status": (run.status, "finished"),
        "final_model": (run.final_model, output.trained_model.final_model),
        "training_samples": (run.training_samples, _learnt(output, rows)),
        "validation_samples": (run.validation_samples, len(rows.validation.target)),
        "test_samples": (run.test_samples, len(rows.test.target)),
        "feature_names": (list(run.feature_names), list(rows.facts.features)),
        "hyperparameters": (run.hyperparameters, output.trained_model.hyperparameters),
        "validation_metrics": (run.validation_metrics, output.validation_metrics.all_metrics),
        "success_criteria_results": (run.success_criteria_results, output.success_criteria_results),
    }
    mistakes = [f"{field} is {here}, and should be {there}" for field, (here, there) in pairs.items() if here != there]
    mistakes += _version_mistakes(project, run)
    return check_result(mistakes, f"row {run.id} of ml_training_runs matches the training", **{"training run": run.id})


def _learnt(output: TrainingOutput, rows: TrainingRows) -> int:
    """Return the number of rows that the stored model has learnt from."""
    more = 0 if output.trained_model.final_model == "train_only" else len(rows.validation.target)
    return len(rows.train.target) + more


def _version_mistakes(project: Project, run: StoredRun) -> Iterator[str]:
    """Compare the registered model version with its training run."""
    version = version_of(project.database, run.id)
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


@of_asset("trained_model")
def model_reloads_with_the_same_metrics(project: Project, name: str) -> CheckResult:
    """The model, loaded from its folder, reproduces its stored test metrics to 1e-9."""
    rows: TrainingRows = stored(project, TrainingRows, "validation_splits", name)
    run = model_links.training_run(project, name)
    try:
        again = _test_metrics(project, name, run, rows)
    except (ModelInvalid, E2iError, KeyError, ValueError) as error:
        return check_result([f"the stored model cannot predict the test rows: {error}"], "")
    mistakes = [
        f"{metric} on test is {run.test_metrics.get(metric)!r} in ml_training_runs, and {again.get(metric)!r} again"
        for metric in sorted({*again, *run.test_metrics})
        if not _same(run.test_metrics.get(metric), again.get(metric))
    ]
    facts = {
        metric: f"{figure(run.test_metrics.get(metric))}, again {figure(value)}" for metric, value in again.items()
    }
    return check_result(
        mistakes, f"the stored model has the same {len(again)} metrics on the test rows as before", **facts
    )


def _test_metrics(project: Project, name: str, run: StoredRun, rows: TrainingRows) -> dict[str, float]:
    truth, prediction = predicted_rows(project, name, run, rows.facts, rows.test)
    experiment = project.experiment(name)
    return evaluated_rows(experiment, rows.facts, run, rows.train, truth, prediction, rows.test.weights).metrics


def _same(stored: object, again: object) -> bool:
    if not isinstance(stored, int | float) or not isinstance(again, int | float):
        return False
    # Relative, because 6e-9 is as meaningful as 6e12. The absolute tolerance covers rounding of differences to 0.
    return math.isclose(stored, again, rel_tol=TOLERANCE, abs_tol=1e-300)


@of_asset("trained_model")
def served_decisions_match_the_report(project: Project, name: str) -> CheckResult:
    """What the stored model predicts for the test rows gives the confusion matrix of the report."""
    rows: TrainingRows = stored(project, TrainingRows, "validation_splits", name)
    run = model_links.training_run(project, name)
    if not rows.facts.classes:
        return passed("a regression predicts values and has no confusion matrix")
    if run.test_confusion is None:
        return passed("the model was trained before its confusion matrix was recorded")
    try:
        decided = served_confusion(project, name, run, rows.facts, rows.test)
    except (ModelInvalid, E2iError, KeyError, ValueError) as error:
        raise NotEvaluated(f"the stored model cannot predict: {error}") from error
    labels, reported = run.test_confusion["labels"], run.test_confusion["counts"]
    mistakes = [
        f"{decided[row][column]} test rows of {true} are predicted as {given}; the report has {reported[row][column]}"
        for row, true in enumerate(labels)
        for column, given in enumerate(labels)
        if decided[row][column] != reported[row][column]
    ]
    at = "" if run.decision_threshold is None else f" at the threshold {run.decision_threshold:.4g}"
    return check_result(mistakes, f"the stored model decides{at} as reported on {sum(map(sum, decided))} test rows")


@of_asset("trained_model")
def model_uses_its_features(project: Project, name: str) -> CheckResult:
    """The predictions for the test rows differ: a model without any split in its trees has learned nothing."""
    rows: TrainingRows = stored(project, TrainingRows, "validation_splits", name)
    run = model_links.training_run(project, name)
    try:
        _, prediction = predicted_rows(project, name, run, rows.facts, rows.test)
    except (ModelInvalid, E2iError, KeyError, ValueError) as error:
        raise NotEvaluated(f"the stored model cannot predict: {error}") from error
    values = prediction.labels if prediction.scores is None else prediction.scores
    distinct = len(np.unique(values, axis=0))
    mistakes = [
        f"it predicts the same in all {len(values)} test rows: none of its trees splits, or all coefficients are 0"
    ]
    return check_result(
        mistakes if distinct == 1 else [], f"{distinct} different predictions of {len(values)} test rows"
    )


@of_asset("trained_model", severity="WARN")
def success_criteria_are_met(project: Project, name: str) -> CheckResult:
    """The model meets the experiment's success criteria on the test rows."""
    output: TrainingOutput = stored(project, TrainingOutput, "trained_model", name)
    experiment = project.experiment(name)
    if not output.success_criteria_results:
        return passed("the experiment has no success criteria")
    run = project.training_runs.by_spec_hash(model_links.identity(project, name))
    required = criteria(experiment.success_criteria, experiment.problem_type, experiment.metric)
    references = (run.baseline_test_metrics, run.default_test_metrics) if run else (None, None)
    again = evaluated_criteria(required, run.test_metrics if run else {}, *references)
    found = {one.criterion.name: one for one in again if one.value is not None}
    reasons: dict[str, str] = {}
    facts: dict[str, Fact] = {}
    for criterion, met in output.success_criteria_results.items():
        one, word = found.get(criterion), "met" if met else "missed"
        facts[criterion] = one.criterion.against(one.value) if one else word
        reasons[criterion] = one.reason if one else f"{criterion} {word}"
    mistakes = [reasons[criterion] for criterion, met in output.success_criteria_results.items() if not met]
    return check_result(mistakes, "; ".join(reasons.values()), **facts)


CHECKS = (
    training_contract_is_valid,
    training_run_row_is_complete,
    Check(
        asset="trained_model",
        name="links_resolve_to_study_and_trial",
        description="Best trial, training run and MLflow run are linked by their ids and have the same parameters.",
        evaluate=model_links.linked,
    ),
    Check(
        asset="trained_model",
        name="mlflow_has_the_run",
        description="MLflow has the training under the run id of its row.",
        evaluate=model_links.run_is_in_mlflow,
        severity="WARN",
    ),
    model_reloads_with_the_same_metrics,
    served_decisions_match_the_report,
    model_uses_its_features,
    success_criteria_are_met,
)
