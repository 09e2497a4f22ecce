"""The options that comparisons on the corpus share: their records are in a folder, and a second call continues."""

import argparse
import os
from pathlib import Path

import optuna

from benchmarks import report


def parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the common options.

    Args:
        name: Name of the benchmark, and of its work folder and its report by default.
        description: What it measures.
    """
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--corpus", help="folder of the data sets; default E2I_CORPUS")
    made.add_argument("--work", type=Path, default=Path("state") / name, help="folder of the records")
    made.add_argument("--only-report", action="store_true", help="report the records that exist")
    made.add_argument("--output", type=Path, default=report.RESULTS / f"{name}.md")
    return made


def begun(of: argparse.ArgumentParser) -> argparse.Namespace:
    """Return the options; each fit has one thread from now on, and the work folder exists."""
    options = of.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    options.work.mkdir(parents=True, exist_ok=True)
    return options
