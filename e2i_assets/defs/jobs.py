"""The job of the graph. It runs in one process, because the graph is a chain and checks are short."""

from collections.abc import Sequence

import dagster as dg

from e2i_assets.defs.dagster_internals import UnresolvedAssetJobDefinition

# The definition of a sensor or a schedule names its job.
TUNE_AND_TRAIN = "tune_and_train"
PREDICT = "predict_new_rows"
# This asset depends on rows that may arrive at any time, so it has a job of its own.
SCORED = "predictions"


def tune_and_train(keys: Sequence[dg.AssetKey]) -> UnresolvedAssetJobDefinition:
    """Return the job of the assets with these keys and their checks, and of no other asset of the code location."""
    return dg.define_asset_job(
        TUNE_AND_TRAIN,
        selection=dg.AssetSelection.assets(*keys),
        description="All assets of one experiment, from `dataset` to `hpo_pattern_memory`.",
        executor_def=dg.in_process_executor,
    )


def predict_new_rows(key: dg.AssetKey) -> UnresolvedAssetJobDefinition:
    """Return the job of `predictions` and its checks."""
    return dg.define_asset_job(
        PREDICT,
        selection=dg.AssetSelection.assets(key),
        description="The new rows of one experiment, scored by its champion: `predict` in the experiment file.",
        executor_def=dg.in_process_executor,
    )
