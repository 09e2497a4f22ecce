"""Where Dagster comes in: loads everything under `defs/`."""

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """Load the graph, its checks, resources and jobs."""
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
