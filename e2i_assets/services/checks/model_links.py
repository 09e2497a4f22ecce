"""The links of a training: to its row, its study, the best trial and the MLflow run."""

from collections.abc import Mapping
from typing import Any

from e2i_assets.adapters.mlflow.tracked_run import hyperparameters, param_text
from e2i_assets.adapters.mlflow.tracker import tracking_failures
from e2i_assets.adapters.repositories.training_runs import StoredRun, TrainingRunLink
from e2i_assets.core.contracts.contract import HpoOutput, TrainingOutput
from e2i_assets.core.data.split_tables import SplitFacts
from e2i_assets.services.checks.check import CheckFailed, CheckResult, check_result, stored
from e2i_assets.services.project import Project


def identity(project: Project, name: str) -> str:
    """Return the study key of the stored training."""
    hpo: HpoOutput = stored(project, HpoOutput, "best_hyperparameters", name)
    return str(hpo.hpo_spec_hash)


def training_run(project: Project, name: str) -> StoredRun:
    """Return the row of the stored training.

    Raises:
        CheckFailed: There is no row.
    """
    stored(project, TrainingOutput, "trained_model", name)
    found = project.training_runs.by_spec_hash(identity(project, name))
    if found is None:
        raise CheckFailed(f"the training of {name} has no row in ml_training_runs: materialise trained_model again")
    return found


def linked(project: Project, name: str) -> CheckResult:
    """Check whether the links of the stored training lead to objects with the same parameters."""
    output: TrainingOutput = stored(project, TrainingOutput, "trained_model", name)
    hpo: HpoOutput = stored(project, HpoOutput, "best_hyperparameters", name)
    facts: SplitFacts = stored(project, SplitFacts, "validation_splits", name)
    links = {link.spec_hash: link for link in project.training_runs.links(name)}
    link = links.get(str(hpo.hpo_spec_hash))
    if link is None:
        return check_result([f"training_run_links has no row for the study {str(hpo.hpo_spec_hash)[:12]}"], "")
    mistakes = _mistakes(link, training_run(project, name), output, hpo, facts)
    followed = f"trial {link.best_trial_number} of {link.study_name}" if hpo.hpo_completed else "the defaults, no study"
    params, away = _mlflow_params(project, link.mlflow_run_id)
    if params is not None:
        expected = {key: param_text(value) for key, value in hyperparameters(link.hyperparameters).items()}
        shown = {key: value for key, value in params.items() if key.startswith("hp_")}
        different = sorted(key for key in {*expected, *shown} if expected.get(key) != shown.get(key))
        mistakes += [f"{key} is {expected.get(key)} in the row, and {shown.get(key)} in MLflow" for key in different]
    where = f"MLflow run {link.mlflow_run_id}" if params is not None else f"not followed into MLflow, {away}"
    why = f"the row leads to {followed} and {where}, all with the same parameters"
    ids = {"training run": link.training_run_id, "study": link.study_name, "MLflow run": link.mlflow_run_id}
    return check_result(mistakes, why, **ids)


def run_is_in_mlflow(project: Project, name: str) -> CheckResult:
    """Check whether MLflow has the run of the stored training."""
    output: TrainingOutput = stored(project, TrainingOutput, "trained_model", name)
    run, info = training_run(project, name), output.mlflow_info
    params, away = _mlflow_params(project, run.mlflow_run_id)
    mistakes = []
    if params is None:
        then = f"MLflow was {info.mlflow_status} when the model was trained"
        mistakes.append(f"{away} ({then}: `e2i track --catch-up` sends what it missed)")
    # An output that was stored without a run stays as it is: the row has the run that was logged later.
    if info.run_id is not None and info.run_id != run.mlflow_run_id:
        mistakes.append(f"the output names run {info.run_id}, and ml_training_runs names {run.mlflow_run_id}")
    return check_result(mistakes, f"MLflow has it as run {run.mlflow_run_id}", **{"MLflow run": run.mlflow_run_id})


def _mistakes(
    link: TrainingRunLink, run: StoredRun, output: TrainingOutput, hpo: HpoOutput, facts: SplitFacts
) -> list[str]:
    pairs: dict[str, tuple[Any, Any]] = {
        "status": (link.status, "finished"),
        "data_hash": (link.data_hash, facts.data_hash),
        "hyperparameters": (link.hyperparameters, output.trained_model.hyperparameters),
        "study_name": (link.study_name, hpo.hpo_study_name),
        "optuna_trial_number": (run.optuna_trial_number, hpo.hpo_best_trial),
        "is_best_trial": (run.is_best_trial, hpo.hpo_completed),
    }
    if hpo.hpo_completed:
        pairs["best_trial_number of the study"] = (link.best_trial_number, hpo.hpo_best_trial)
        pairs["best_value of the study"] = (link.best_value, hpo.hpo_best_value)
        pairs["parameters of the best trial"] = (link.trial_params, output.trained_model.hyperparameters)
    found = [f"{field} is {here}, and should be {there}" for field, (here, there) in pairs.items() if here != there]
    found += [f"{field} is null" for field in ("split_id", "model_uri") if getattr(link, field) is None]
    return found


def _mlflow_params(project: Project, run_id: str | None) -> tuple[Mapping[str, str] | None, str]:
    """Return the parameters of an MLflow run, or None and the reason why they are unavailable."""
    if run_id is None:
        return None, "there is no run"
    try:
        return project.tracker().run_params(run_id), ""
    except tracking_failures() as error:
        return None, f"{type(error).__name__}: {error}"
