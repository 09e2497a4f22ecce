"""The asset `dataset` of a component: its rows are those of an upstream asset."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from e2i_assets.core.data.dataset import Dataset
from e2i_assets.core.errors import E2iError
from e2i_assets.defs.assets import DATA_CODE, materialized_dataset
from e2i_assets.defs.experiment_asset import AssetInNamespace, experiment_asset
from e2i_assets.defs.namespace import Binding, Namespace
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.services.upstream_rows import Upstream, read_upstream

_URI = "dagster/uri"


def bound_dataset(by_uri: bool) -> AssetInNamespace:
    """Return the asset, which reads the file of its upstream asset, or else the query of the experiment."""

    def in_namespace(namespace: Namespace) -> dg.AssetsDefinition:
        binding = namespace.binding
        assert binding is not None

        def dataset(context: dg.AssetExecutionContext, e2i: ProjectResource) -> dg.MaterializeResult[Dataset]:
            """The rows of the upstream asset as a typed table, with the reason for each column that is no feature."""
            project, experiment = e2i.open(), binding.experiment
            upstream = latest(context.instance, binding, binding.upstream, by_uri)
            rows = read_upstream(project, experiment, upstream)
            made = materialized_dataset(project, experiment, rows)
            return made._replace(metadata={**shown(upstream, binding.upstream), **(made.metadata or {})})

        made = experiment_asset("data", "pandas", "parquet", code=DATA_CODE, upstream=[binding.upstream])
        return made(dataset)(namespace)

    return in_namespace


def latest(instance: dg.DagsterInstance, binding: Binding, asset: dg.AssetKey, by_uri: bool) -> Upstream:
    """Return the latest materialization of an upstream asset.

    Raises:
        E2iError: There is none, or it does not say where its rows are.
    """
    name = asset.to_user_string()
    event = instance.get_latest_materialization_event(asset)
    if event is None or event.asset_materialization is None:
        raise E2iError(
            f"{name} has not been materialized yet, so {binding.experiment.name} has no rows: materialize it"
        )
    uri = None
    if by_uri:
        found = event.asset_materialization.metadata.get(_URI)
        if found is None:
            raise E2iError(
                f"the latest materialization of {name} (run {event.run_id}) has no metadata {_URI}: add it, with the "
                "path of its Parquet or CSV file, or read the rows with rows.sql"
            )
        uri = str(found.value)
    moment = datetime.fromtimestamp(event.timestamp, UTC).isoformat()
    return Upstream(name, event.run_id or None, uri, moment, binding.component)


def shown(upstream: Upstream, asset: dg.AssetKey) -> dict[str, Any]:
    """Return the metadata that says which materialization the rows are from."""
    given = asdict(upstream)
    del given["component"]
    facts = {f"upstream_{name}": value for name, value in given.items() if value is not None}
    run = {"upstream_run_id": dg.MetadataValue.dagster_run(upstream.run_id)} if upstream.run_id else {}
    return {**facts, "upstream_asset": dg.MetadataValue.asset(asset), **run}
