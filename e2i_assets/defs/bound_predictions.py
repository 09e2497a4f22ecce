"""The asset `predictions` of a component: the new rows of its experiment, from a source or from an upstream asset."""

import dagster as dg

from e2i_assets.core.automation.champion import ChampionModel
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.predictions import NewPredictions
from e2i_assets.defs.bound_dataset import latest, shown
from e2i_assets.defs.experiment_asset import experiment_asset
from e2i_assets.defs.namespace import Namespace
from e2i_assets.defs.predictions import CODE, scored
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.services.upstream_rows import source_at


def bound_predictions(namespace: Namespace) -> dg.AssetsDefinition:
    """Return the asset. It reads the file of the upstream asset of the new rows if there is one."""
    binding = namespace.binding
    assert binding is not None
    asset = binding.new_rows

    def predictions(
        context: dg.AssetExecutionContext,
        e2i: ProjectResource,
        validation_splits: TrainingRows,
        champion_model: ChampionModel,
    ) -> dg.MaterializeResult[NewPredictions]:
        """Predictions of new rows in a file or a table (`predict` in the experiment), by the champion."""
        project, experiment = e2i.open(), binding.experiment
        if asset is None or experiment.predict is None:
            return scored(context, project, experiment, validation_splits)
        upstream = latest(context.instance, binding, asset, by_uri=experiment.predict.source.sql is None)
        source = None if upstream.uri is None else source_at(upstream.uri, upstream.asset)
        return scored(context, project, experiment, validation_splits, source, shown(upstream, asset))

    upstream = [] if asset is None else [asset]
    return experiment_asset("model", "parquet", code=CODE, upstream=upstream)(predictions)(namespace)
