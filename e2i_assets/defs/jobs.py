"""The jobs. Each runs in one process: the graph is a chain, and checks are short."""

from collections.abc import Sequence

import dagster as dg

from e2i_assets.defs.dagster_internals import UnresolvedAssetJobDefinition
from e2i_assets.defs.experiment_file_checks import files_check_key
from e2i_assets.defs.namespace import Namespace

# The definition of a sensor or a schedule names its job.
TUNE_AND_TRAIN = "tune_and_train"
CHECK_EVERYTHING = "check_everything"


def jobs(namespace: Namespace, keys: Sequence[dg.AssetKey]) -> list[UnresolvedAssetJobDefinition]:
    """Return the jobs of the assets with these keys, and of no other asset of the code location."""
    return [
        dg.define_asset_job(
            TUNE_AND_TRAIN,
            # An invalid file of another experiment does not concern a run.
            selection=dg.AssetSelection.assets(*keys) - dg.AssetSelection.checks(files_check_key(namespace)),
            description="All assets of one experiment, from `dataset` to `hpo_pattern_memory`.",
            executor_def=dg.in_process_executor,
        ),
        dg.define_asset_job(
            CHECK_EVERYTHING,
            selection=dg.AssetSelection.checks_for_assets(*keys),
            description="All checks of all assets and experiments, evaluated on the stored values like `e2i check`.",
            executor_def=dg.in_process_executor,
        ),
    ]
