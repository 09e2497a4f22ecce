"""The jobs. Each runs in one process: the graph is a chain, and checks are short."""

import dagster as dg

from e2i_assets.defs.experiment_file_checks import FILES_CHECK

tune_and_train = dg.define_asset_job(
    "tune_and_train",
    # An invalid file of another experiment does not concern a run.
    selection=dg.AssetSelection.all() - dg.AssetSelection.checks(FILES_CHECK),
    description="All assets of one experiment, from `dataset` to `hpo_pattern_memory`.",
    executor_def=dg.in_process_executor,
)

check_everything = dg.define_asset_job(
    "check_everything",
    selection=dg.AssetSelection.all_asset_checks(),
    description="All checks of all assets and experiments, evaluated on the stored values like `e2i check`.",
    executor_def=dg.in_process_executor,
)


@dg.definitions
def executor() -> dg.Definitions:
    """Set the in-process executor as the default, so that runs without a job (such as a backfill) use it too."""
    return dg.Definitions(executor=dg.in_process_executor)
