"""What can be launched as a whole: the graph of one experiment, in one process, because it is a chain."""

import dagster as dg

tune_and_train = dg.define_asset_job(
    "tune_and_train",
    selection=dg.AssetSelection.all(),
    description="Everything for one experiment, from its rows to what the memory keeps of it.",
    executor_def=dg.in_process_executor,
)
