"""The checks of `champion_model`: it is not worse than the new model, loads, and has the alias in MLflow."""

from e2i_assets.adapters.mlflow.client import TrackingFailed, TrackingUnreachable
from e2i_assets.adapters.mlflow.models import ModelInvalid
from e2i_assets.adapters.repositories.models import StoredDecision
from e2i_assets.core.automation.champion import ChampionModel
from e2i_assets.core.automation.drift import psi_text
from e2i_assets.core.figures import figure, span
from e2i_assets.services.checks.check import CheckFailed, CheckResult, Fact, check_result, of_asset, passed, stored
from e2i_assets.services.project import Project
from e2i_assets.services.stored_model import promoted_model

_MOST_FEATURES = 10


def _output(project: Project, name: str) -> ChampionModel:
    output: ChampionModel = stored(project, ChampionModel, "champion_model", name)
    return output


def _decisions(project: Project, name: str) -> tuple[ChampionModel, StoredDecision | None]:
    """Return the stored value, and the decision that promoted the current champion."""
    output = _output(project, name)
    return output, project.champions.current(project.experiments.id_of(name))


@of_asset("champion_model", severity="WARN")
def challenger_is_not_worse(project: Project, name: str) -> CheckResult:
    """The new model is not worse on the same test rows than the model in use, which otherwise stays in use."""
    output = _output(project, name)
    experiment_id = project.experiments.id_of(name)
    found = project.champions.about(experiment_id, output.challenger_key)
    if found is None:
        raise CheckFailed(
            f"there is no champion decision about the model {output.challenger_key[:12]}: materialise it again"
        )
    in_use = project.champions.current(experiment_id) is not None
    kept = "the old model stays in use" if in_use else "no model is in use yet, and this one is not promoted"
    return check_result([] if found.promoted else [f"{kept}: {found.reason}"], found.reason, **_compared(found))


def _compared(found: StoredDecision) -> dict[str, Fact]:
    """Return the values of the two models; None for what was not measured."""

    def shown(value: float | None) -> str | None:
        return None if value is None else f"{found.metric} {figure(value)}"

    return {
        "new model": shown(found.challenger_value),
        "model in use": shown(found.champion_value),
        "gain": None if found.gain is None else figure(found.gain),
        "95 % interval of the gain": span(found.gain_low, found.gain_high) or None,
        "test rows": found.test_rows,
    }


@of_asset("champion_model", answers_for_the_file=True)
def champion_model_loads(project: Project, name: str) -> CheckResult:
    """The model in use is the one of the latest promotion, and its files load."""
    output, champion = _decisions(project, name)
    if champion is None:
        return passed("no model has passed its checks yet, so none is in use")
    mistakes = []
    registered = project.champions.registered_champion(champion.challenger_key)
    for where, key in {"the stored value": output.model_key, "ml_model_registry": registered}.items():
        if key != champion.challenger_key:
            mistakes.append(f"{where} names {str(key)[:12]}, and the last decision {champion.challenger_key[:12]}")
    try:
        promoted_model(project, name, champion.challenger_key)
    except ModelInvalid as error:
        mistakes.append(str(error))
    why = f"{champion.challenger_key[:12]} is the champion, and loads"
    place = project.store.location(project.champion_key(name, champion.challenger_key))
    return check_result(mistakes, why, **{"model folder": place})


@of_asset("champion_model", severity="WARN")
def mlflow_alias_points_to_the_champion(project: Project, name: str) -> CheckResult:
    """In MLflow, the alias champion refers to the version of the model in use."""
    _, champion = _decisions(project, name)
    if champion is None or champion.mlflow_model_version is None:
        return passed("the champion is not in MLflow")
    try:
        found = project.tracker().champion(f"e2i_{name}")
    except (TrackingUnreachable, TrackingFailed) as error:
        return check_result([f"MLflow did not answer: {error}"], "")
    wrong = [f"the alias champion points at {found}, and the champion is version {champion.mlflow_model_version}"]
    return check_result(
        [] if found == champion.mlflow_model_version else wrong, f"the alias champion points at version {found}"
    )


@of_asset("champion_model", severity="WARN")
def newer_rows_have_not_drifted(project: Project, name: str) -> CheckResult:
    """Newer rows have the distribution of the training rows, and the model in use is as good on them."""
    _output(project, name)
    found = project.drift_reports.last().get(project.experiments.id_of(name))
    if found is None:
        return passed("there is no drift report of newer rows (watch.recent)")
    largest = project.experiment(name).watch.largest_psi
    metric = {"on test": found.metric_then, "on newer rows": found.metric_now}
    facts: dict[str, Fact] = {
        "looked at": f"{found.looked_at:%Y-%m-%d %H:%M} UTC",
        "newer rows": found.rows_seen,
        "of these with a target": found.labelled_rows,
        **{f"metric {where}": None if value is None else figure(value) for where, value in metric.items()},
        **{f"PSI of {one['feature']}": psi_text(one, largest) for one in found.features[:_MOST_FEATURES]},
    }
    return check_result([found.reason] if found.drifted else [], found.reason, **facts)


NOT_DRIFTED = newer_rows_have_not_drifted.name
CHECKS = (
    challenger_is_not_worse,
    champion_model_loads,
    mlflow_alias_points_to_the_champion,
    newer_rows_have_not_drifted,
)
