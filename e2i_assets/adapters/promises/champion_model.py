"""What `champion_model` promises: the model in use is no worse than the new one, loads, and is called so in MLflow."""

from pathlib import Path

from e2i_assets.adapters.asset_files import AssetMissing
from e2i_assets.adapters.promises.promise import Promise, PromiseBroken, Verdict, held, stored, verdict
from e2i_assets.adapters.stored_model import ARCHIVE
from e2i_assets.adapters.stores.champion_store import ChampionStore, StoredDecision
from e2i_assets.adapters.stores.drift_store import DriftStore
from e2i_assets.adapters.stores.experiment_store import ExperimentStore
from e2i_assets.adapters.tracking.mlflow_client import TrackingFailed, TrackingUnreachable
from e2i_assets.adapters.tracking.models import ModelInvalid, load_model
from e2i_assets.adapters.workspace import Workspace
from e2i_assets.core.automation.champion import ChampionModel

NOT_DRIFTED = "newer_rows_have_not_drifted"
_MOST_FEATURES = 10
_OLDER = "the model was trained before there were champions"


def _output(workspace: Workspace, name: str) -> ChampionModel | None:
    """Return the stored value; None where every model of the experiment is older than champions."""
    try:
        output: ChampionModel = stored(workspace, ChampionModel, "champion_model", name)
    except AssetMissing:
        experiment_id = ExperimentStore(workspace.database).id_of(name)
        if ChampionStore(workspace.database).has_only_older(experiment_id):
            return None
        raise
    return output


def _decisions(workspace: Workspace, name: str) -> tuple[ChampionModel | None, StoredDecision | None]:
    """Return the stored value, and the decision that made the present champion."""
    output = _output(workspace, name)
    experiment_id = ExperimentStore(workspace.database).id_of(name)
    return output, ChampionStore(workspace.database).current(experiment_id) if output else None


def _not_worse(workspace: Workspace, name: str) -> Verdict:
    output = _output(workspace, name)
    if output is None:
        return held(_OLDER)
    experiment_id = ExperimentStore(workspace.database).id_of(name)
    found = ChampionStore(workspace.database).about(experiment_id, output.challenger_key)
    if found is None:
        raise PromiseBroken(f"nothing is on record about the model {output.challenger_key[:12]}: materialise it again")
    facts = {
        "metric": found.metric,
        "challenger": found.challenger_value,
        "champion": found.champion_value,
        "gain": found.gain,
        "gain_low": found.gain_low,
        "gain_high": found.gain_high,
        "test_rows": found.test_rows,
    }
    return verdict([] if found.promoted else [f"the old model stays in use: {found.reason}"], found.reason, **facts)


def _there(workspace: Workspace, name: str) -> Verdict:
    output, champion = _decisions(workspace, name)
    if output is None:
        return held(_OLDER)
    if champion is None:
        return held("no model has kept its promises yet, so none is in use")
    mistakes = []
    registered = ChampionStore(workspace.database).registered_champion(champion.challenger_key)
    for where, key in {"the stored value": output.model_key, "ml_model_registry": registered}.items():
        if key != champion.challenger_key:
            mistakes.append(f"{where} names {str(key)[:12]}, and the last decision {champion.challenger_key[:12]}")
    try:
        load_model(Path(champion.model_folder) / ARCHIVE)
    except ModelInvalid as error:
        mistakes.append(str(error))
    said = f"{champion.challenger_key[:12]} is the champion, and loads"
    return verdict(mistakes, said, model_folder=champion.model_folder)


def _alias(workspace: Workspace, name: str) -> Verdict:
    output, champion = _decisions(workspace, name)
    if output is None:
        return held(_OLDER)
    if champion is None or champion.mlflow_model_version is None:
        return held("the champion is not in MLflow")
    try:
        found = workspace.tracker().champion(f"e2i_{name}")
    except (TrackingUnreachable, TrackingFailed) as error:
        return verdict([f"MLflow could not be asked: {error}"], "")
    wrong = [f"the alias champion points at {found}, and the champion is version {champion.mlflow_model_version}"]
    return verdict(
        [] if found == champion.mlflow_model_version else wrong, f"the alias champion points at version {found}"
    )


def _not_drifted(workspace: Workspace, name: str) -> Verdict:
    if _output(workspace, name) is None:
        return held(_OLDER)
    found = DriftStore(workspace.database).last().get(ExperimentStore(workspace.database).id_of(name))
    if found is None:
        return held("nobody has looked at newer rows (watch.recent)")
    facts = {
        "looked_at": f"{found.looked_at:%Y-%m-%d %H:%M}",
        "newer_rows": found.rows_seen,
        "labelled": found.labelled_rows,
        "metric_then": found.metric_then,
        "metric_now": found.metric_now,
        **{f"psi of {one['feature']}": one["psi"] for one in found.features[:_MOST_FEATURES]},
    }
    return verdict([found.reason] if found.drifted else [], found.reason, **facts)


PROMISES = (
    Promise(
        asset="champion_model",
        name="challenger_is_not_worse",
        description="The new model is not worse than the one in use on the same test rows; else the old one stays.",
        judge=_not_worse,
        severity="WARN",
    ),
    Promise(
        asset="champion_model",
        name="champion_is_there",
        description="The model in use is the one that was decided on, and its files load.",
        judge=_there,
        answers_for_the_file=True,
    ),
    Promise(
        asset="champion_model",
        name="alias_champion_is_the_champions",
        description="In MLflow the alias champion points at the version of the model in use.",
        judge=_alias,
        severity="WARN",
    ),
    Promise(
        asset="champion_model",
        name=NOT_DRIFTED,
        description="Newer rows are like those that were learnt from, and the model in use does as well on them.",
        judge=_not_drifted,
        severity="WARN",
    ),
)
