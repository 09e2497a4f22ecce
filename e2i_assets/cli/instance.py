"""The Dagster instance of the project."""

from typing import TYPE_CHECKING

from e2i_assets.adapters.postgres.server import database
from e2i_assets.adapters.settings import Settings
from e2i_assets.cli.dagster_home import dagster_home

if TYPE_CHECKING:
    import dagster as dg


def dagster_instance(settings: Settings) -> "dg.DagsterInstance":
    """Open the instance that `dagster.yaml` describes, with the pool of the studies made.

    Dagster makes a pool when its first step asks for it, and on PostgreSQL the second of two runs that do so at once
    fails: the mend that it tries stands in the transaction that has just been broken off.
    """
    import dagster as dg
    from dagster._core.instance.ref import InstanceRef

    from e2i_assets.defs.assets import STUDIES

    instance = dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(dagster_home(settings))))
    storage = instance.event_log_storage
    with database(settings).advisory_lock("pools of Dagster"):
        if STUDIES not in {pool.name for pool in storage.get_pool_limits()}:
            storage.initialize_concurrency_limit_to_default(STUDIES)
    return instance
