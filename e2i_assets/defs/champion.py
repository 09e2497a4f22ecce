"""The model in use: the trained one, unless the one that was in use before is better on the same test rows."""

from typing import Any

import dagster as dg

from e2i_assets.core.automation.champion import ChampionModel
from e2i_assets.defs.experiment_asset import AFTER_TRAINING, experiment_asset
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.services.promote import promote


@experiment_asset("model", "mlflow", "postgres", deps=["trained_model"], automation=AFTER_TRAINING)
def champion_model(context: dg.AssetExecutionContext, e2i: ProjectResource) -> dg.MaterializeResult[ChampionModel]:
    """Champion and challenger on the same test rows: the old model stays until a new one is not worse."""
    project = e2i.open()
    found = promote(project, project.experiment(context.partition_key))
    shown: dict[str, Any] = found.model_dump(exclude={"model_folder"})
    return dg.MaterializeResult(
        value=found,
        metadata={
            **{name: dg.MetadataValue.null() if value is None else value for name, value in shown.items()},
            **({"model_folder": dg.MetadataValue.path(found.model_folder)} if found.model_folder else {}),
        },
    )
