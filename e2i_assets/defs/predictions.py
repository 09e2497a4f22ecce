"""The asset `predictions`: the new rows of an experiment, scored by its champion."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import dagster as dg

from e2i_assets.core.automation.champion import ChampionModel
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.source_section import Source
from e2i_assets.core.predictions import NewPredictions
from e2i_assets.defs import metadata
from e2i_assets.defs.experiment_asset import experiment_asset
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.services.predict_new_rows import predict_new_rows
from e2i_assets.services.project import Project

CODE = ("core/predictions.py", "core/data/new_rows.py", "services/predict.py", "services/predict_new_rows.py")


@experiment_asset("model", "parquet", code=CODE, optional=True)
def predictions(
    context: dg.AssetExecutionContext,
    e2i: ProjectResource,
    validation_splits: TrainingRows,
    champion_model: ChampionModel,
) -> Iterator[dg.MaterializeResult[NewPredictions]]:
    """Predictions of new rows in a file or a table (`predict` in the experiment file), by the champion."""
    project = e2i.open()
    experiment = project.current_experiment(context.partition_key)
    if experiment.predict is None:
        context.log.info(f"{experiment.name} scores no new rows: its file has no section predict")
        return
    yield scored(context, project, experiment, validation_splits)


def scored(
    context: dg.AssetExecutionContext,
    project: Project,
    experiment: Experiment,
    rows: TrainingRows,
    source: Source | None = None,
    facts: Mapping[str, Any] = MappingProxyType({}),
) -> dg.MaterializeResult[NewPredictions]:
    """Score the new rows of an experiment, from its own source or another one, and return the result with its facts."""
    found, is_new = predict_new_rows(project, experiment, rows, context.log.info, source)
    if not is_new:
        context.log.info(f"nothing to do: {found.place} has the predictions of these rows by this model")
    return dg.MaterializeResult(
        value=found,
        data_version=dg.DataVersion(found.key),
        metadata={
            **facts,
            "dagster/row_count": found.rows,
            "place": dg.MetadataValue.path(found.place),
            "scored": "now" if is_new else "before: the rows and the model are the same",
            "model": f"version {found.model_version or 'not in MLflow'}, {found.model_key[:12]}",
            "training_run": found.training_run_id,
            "new_categories": metadata.table({"column": name, "rows": rows} for name, rows in found.unseen.items()),
            "not_used": ", ".join(found.not_used) or "none",
            "drift": metadata.table(found.drift),
            **({"score_psi": found.score_drift["psi"]} if found.score_drift else {}),
        },
    )
