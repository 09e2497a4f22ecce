"""Makes experiments partitions of the graph; a program of its own, since Dagster stays in memory once imported."""

import os
import sys

from e2i_assets.adapters.settings import from_environment


def main() -> None:
    """Add the experiments that the arguments name; those that are there already stay as they are."""
    from e2i_assets.cli.dagster_home import dagster_instance
    from e2i_assets.defs.partitions import EXPERIMENTS

    with dagster_instance(from_environment(os.environ)) as instance:
        instance.add_dynamic_partitions(EXPERIMENTS, sys.argv[1:])


if __name__ == "__main__":
    main()
