"""How values pass from asset to asset: a folder of Parquet and JSON for each asset and experiment."""

from typing import Any

import dagster as dg

from e2i_assets.adapters.files import asset_values
from e2i_assets.defs.resources import ProjectResource


class FolderIOManager(dg.ConfigurableIOManager):
    """Writes and reads `asset_files`; the type of an input decides which rows of a split are opened at all."""

    e2i: dg.ResourceDependency[ProjectResource]

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write what an asset gave."""
        folder = self.e2i.open().asset_folder(context.asset_key.path[-1], context.partition_key)
        asset_values.write(obj, folder)
        context.add_output_metadata({"stored_at": dg.MetadataValue.path(str(folder))})

    def load_input(self, context: dg.InputContext) -> Any:
        """Read what an asset takes, as the type that it asks for."""
        folder = self.e2i.open().asset_folder(context.asset_key.path[-1], context.partition_key)
        return asset_values.read(context.dagster_type.typing_type, folder)
