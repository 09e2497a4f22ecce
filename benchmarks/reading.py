"""The cost of reading, checking and hashing a CSV file, compared with plain parsers on the same file.

A million rows of 30 columns: 15 with decimals, 8 of small whole numbers, 5 categories, a number and a class. The
readers alternate, so that other load affects all of them; seconds are CPU seconds (user and system). Parsers that are
not installed are left out.
"""

import argparse
import resource
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from benchmarks import report
from e2i_assets.adapters.sources import datasets
from e2i_assets.core.content_hash import frame_hash
from e2i_assets.core.data.settled_columns import settled
from e2i_assets.core.experiments.file import experiment_from

ROWS = 1_000_000
TURNS = 5


def written(rows: int, file: Path) -> None:
    """Write the CSV file of the benchmark."""
    import pyarrow as pa
    from pyarrow import csv

    draws = np.random.default_rng(1)
    columns = {f"number_{at}": draws.normal(size=rows).round(4) for at in range(15)}
    columns |= {f"count_{at}": draws.integers(0, 1000, rows) for at in range(8)}
    columns |= {f"category_{at}": draws.choice([f"value {one}" for one in range(20)], rows) for at in range(5)}
    columns |= {"row": np.arange(rows), "outcome": draws.choice(["yes", "no"], rows)}
    csv.write_csv(pa.table(columns), file, csv.WriteOptions(quoting_style="none"))


def seconds(step: Callable[[], object]) -> float:
    """Return the CPU seconds of a step."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    step()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def parsers(file: Path) -> dict[str, Callable[[], object]]:
    """Return the plain parsers, each with its default reader into a table of pandas or Arrow."""
    from pyarrow import csv

    found: dict[str, Callable[[], object]] = {
        "pyarrow.csv": lambda: csv.read_csv(file),
        "pandas": lambda: pd.read_csv(file, low_memory=False),
    }
    if find_spec("polars"):
        import polars

        found["polars"] = lambda: polars.read_csv(file, infer_schema_length=None)
    if find_spec("duckdb"):
        import duckdb

        found["DuckDB"] = lambda: duckdb.read_csv(str(file), sample_size=-1).to_arrow_table()
    return found


def ours(file: Path) -> None:
    """Read, check and hash the file as in a run."""
    asked = experiment_from(
        {
            "name": "reading",
            "owner": "team:benchmarks",
            "source": {"csv": file.name},
            "target": "outcome",
            "problem_type": "binary_classification",
            "algorithm": "LightGBM",
        },
        "reading",
    )
    raw = datasets.load(asked.source, file.parent, {})
    frame_hash(settled(raw, asked, asked.source).table)


def main() -> None:
    """Measure, and write the report."""
    choice = argparse.ArgumentParser(description=__doc__)
    choice.add_argument("--rows", type=int, default=ROWS)
    choice.add_argument("--turns", type=int, default=TURNS)
    asked = choice.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.csv"
        written(asked.rows, file)
        steps = {**parsers(file), "read, checked and hashed": lambda: ours(file)}
        taken: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(asked.turns):
            for name, step in steps.items():
                taken[name].append(seconds(step))
        size = file.stat().st_size / 1e6
    bare = median(taken["pyarrow.csv"])
    rows = [(name, median(of), min(of), median(of) / bare) for name, of in taken.items()]
    columns = ("what", "CPU seconds (median)", "least", "times pyarrow.csv")
    table = report.Table(f"{asked.rows:,} rows, 30 columns, {size:.0f} MB", columns, rows)
    described = report.machine("pyarrow", "pandas")
    report.write(
        report.RESULTS / "reading.md", "Reading a CSV file", described, [table], "python -m benchmarks.reading"
    )


if __name__ == "__main__":
    main()
