"""The IO manager: asset values are folders of Parquet and JSON files, one per asset and experiment."""

from typing import Any

import dagster as dg

from e2i_assets.adapters.files import asset_values
from e2i_assets.defs.namespace import asset_name, experiment_of
from e2i_assets.defs.resources import ProjectResource

# Not Dagster's default name: other assets of a code location may have an IO manager of their own.
IO_MANAGER = "e2i_io_manager"


class FolderIOManager(dg.ConfigurableIOManager):
    """Write and read `asset_files`. The type of an input decides which splits are read."""

    e2i: dg.ResourceDependency[ProjectResource]

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write the value of an asset."""
        folder = self.e2i.open().asset_folder(asset_name(context.asset_key), experiment_of(context))
        asset_values.write(obj, folder)
        context.add_output_metadata({"stored_at": dg.MetadataValue.path(str(folder))})

    def load_input(self, context: dg.InputContext) -> Any:
        """Read an input as the type that the downstream asset declares."""
        folder = self.e2i.open().asset_folder(asset_name(context.asset_key), experiment_of(context))
        return asset_values.read(context.dagster_type.typing_type, folder)
