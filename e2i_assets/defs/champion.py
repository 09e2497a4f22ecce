"""The asset `champion_model`: the model in use."""

from typing import Any

import dagster as dg

from e2i_assets.core.automation.champion import ChampionModel
from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.contracts.contract import TrainingOutput
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.defs.experiment_asset import AFTER_TRAINING, experiment_asset
from e2i_assets.defs.namespace import experiment_of, sibling
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.services.promote import REQUIRED_CHECKS, promote


@experiment_asset(
    "model",
    "mlflow",
    "postgres",
    automation=AFTER_TRAINING,
    code=("core/automation/champion.py", "services/promote.py"),
)
def champion_model(
    context: dg.AssetExecutionContext,
    e2i: ProjectResource,
    validation_splits: TrainingRows,
    trained_model: TrainingOutput,
) -> dg.MaterializeResult[ChampionModel]:
    """The model in use. A new model replaces it unless it is worse on the same test rows."""
    project = e2i.open()
    failed = failed_in_run(context.instance, context.run.run_id, sibling(context.asset_key, "trained_model"))
    found = promote(project, project.experiment(experiment_of(context)), validation_splits, failed)
    shown: dict[str, Any] = found.model_dump(exclude={"model_folder"})
    return dg.MaterializeResult(
        value=found,
        data_version=dg.DataVersion(content_hash(found.model_dump(mode="json"))),
        metadata={
            **shown,
            **({"model_folder": dg.MetadataValue.path(found.model_folder)} if found.model_folder else {}),
        },
    )


def failed_in_run(instance: dg.DagsterInstance, run_id: str, model: dg.AssetKey) -> list[str] | None:
    """Return the required checks that failed for a model in this run, with the reasons.

    Return None unless the run evaluated all required checks, which a run of `champion_model` alone does not.
    """
    logs = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    events = [entry.dagster_event for entry in logs if entry.dagster_event is not None]
    evaluated = [event.asset_check_evaluation_data for event in events]
    of_model = {one.check_name: one for one in evaluated if one.asset_key == model}
    required = [one.name for one in REQUIRED_CHECKS]
    if not of_model.keys() >= set(required):
        return None
    return [f"{name}: {of_model[name].description}" for name in required if not of_model[name].passed]
