"""The Dagster instance of the project."""

from typing import TYPE_CHECKING

from e2i_assets.adapters.settings import Settings
from e2i_assets.commands.dagster_home import dagster_home

if TYPE_CHECKING:
    import dagster as dg


def dagster_instance(settings: Settings) -> "dg.DagsterInstance":
    """Open the instance that `dagster.yaml` describes."""
    import dagster as dg
    from dagster._core.instance.ref import InstanceRef

    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(dagster_home(settings))))
