"""Materializes assets one after the other, each in a process of its own with an empty scratch folder, as pods do.

Arguments: the experiment, a folder, and the assets. The processes are forked, so they share their imports.
"""

import os
import sys
from pathlib import Path

import dagster as dg

from e2i_assets.adapters.settings import current_settings
from e2i_assets.cli.dagster_home import dagster_instance
from e2i_assets.definitions import defs
from e2i_assets.defs.namespace import EXPERIMENTS


def materialized(experiment: str, asset: str) -> bool:
    """Materialize an asset with its checks, and return whether its run succeeded."""
    with dagster_instance(current_settings()) as instance:
        instance.add_dynamic_partitions(EXPERIMENTS, [experiment])
        job = defs().resolve_job_def("tune_and_train")
        result = job.execute_in_process(
            instance=instance, partition_key=experiment, raise_on_error=False, asset_selection=[dg.AssetKey(asset)]
        )
    return result.success


def main() -> None:
    """Materialize the assets until one fails."""
    experiment, folder, *assets = sys.argv[1:]
    for asset in assets:
        os.environ["E2I_SCRATCH"] = str(Path(folder, asset))
        if child := os.fork():
            if os.waitpid(child, 0)[1]:
                sys.exit(f"{asset} failed")
        else:
            os._exit(0 if materialized(experiment, asset) else 1)


if __name__ == "__main__":
    main()
