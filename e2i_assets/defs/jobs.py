"""What can be launched as a whole, each in one process: a graph is a chain, and checks are short."""

import dagster as dg

from e2i_assets.defs.experiment_file_checks import FILES_CHECK

tune_and_train = dg.define_asset_job(
    "tune_and_train",
    # What is wrong with the file of another experiment is no business of a run.
    selection=dg.AssetSelection.all() - dg.AssetSelection.checks(FILES_CHECK),
    description="Everything for one experiment, from its rows to what the memory keeps of it.",
    executor_def=dg.in_process_executor,
)

check_everything = dg.define_asset_job(
    "check_everything",
    selection=dg.AssetSelection.all_asset_checks(),
    description="Every promise of every asset for every experiment, judged on what is stored, as `e2i check` does.",
    executor_def=dg.in_process_executor,
)


@dg.definitions
def executor() -> dg.Definitions:
    """Make whatever is launched without a job of its own, a backfill say, run in one process as well."""
    return dg.Definitions(executor=dg.in_process_executor)
