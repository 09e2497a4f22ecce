"""The IO manager: asset values are Parquet and JSON files in the store, one value per asset and experiment."""

from typing import Any

import dagster as dg

from e2i_assets.defs.namespace import asset_name, experiment_of
from e2i_assets.defs.resources import ProjectResource

# Not Dagster's default name: other assets of a code location may have an IO manager of their own.
IO_MANAGER = "e2i_io_manager"


class FolderIOManager(dg.ConfigurableIOManager):
    """Write and read `asset_values`. The type of an input decides which splits are read."""

    e2i: dg.ResourceDependency[ProjectResource]

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write the value of an asset."""
        place = self.e2i.open().write(obj, asset_name(context.asset_key), experiment_of(context))
        context.add_output_metadata({"stored_at": dg.MetadataValue.path(place)})

    def load_input(self, context: dg.InputContext) -> Any:
        """Read an input as the type that the downstream asset declares."""
        kind = context.dagster_type.typing_type
        return self.e2i.open().read(kind, asset_name(context.asset_key), experiment_of(context))
