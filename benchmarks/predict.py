"""The memory and time of `e2i predict`: the command itself, on files of growing size, as CSV and as Parquet.

A project trains one model on a few rows; then the command scores each file in a process of its own, of which the
operating system reports the peak. What a file costs is the peak above that of the smallest one, which has Python, the
libraries and the model.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import yaml

from benchmarks import report
from benchmarks.peak_memory import CATEGORIES, COUNTS, FEATURES, MIB, NUMBERS, table

SIZES = (1_000, 100_000, 1_000_000)
TRAIN_ROWS = 5_000
_COMMAND = (sys.executable, "-m", "e2i_assets.cli.main")
# The command, and at its end the peak of its memory: what the system reports to a parent contains the parent's own.
_MEASURED = """
import atexit, re, sys
from pathlib import Path
status = Path("/proc/self/status")
atexit.register(lambda: print(re.search(r"VmHWM:\\s+(\\d+)", status.read_text()).group(), file=sys.stderr))
from e2i_assets.cli.main import main
main()
"""


def trained(root: Path) -> None:
    """Make a project with a champion."""
    (root / "experiments").mkdir()
    rows = table(TRAIN_ROWS, 0)
    rows.to_parquet(root / "rows.parquet")
    document = {
        "name": "scored",
        "owner": "team:benchmarks",
        "source": {"parquet": "rows.parquet"},
        "target": "outcome",
        "problem_type": "binary_classification",
        "algorithm": "LightGBM",
        "hpo": {"enabled": False},
    }
    (root / "experiments" / "scored.yaml").write_text(yaml.safe_dump(document))
    subprocess.run([*_COMMAND, "run", "scored"], check=True, env={**os.environ, "E2I_HOME": str(root)})


def scored(root: Path, kind: str, rows: int) -> list[float]:
    """Score a file of this number of rows; return its size and the peak in MiB, and the seconds."""
    file = root / f"new_{rows}.{kind}"
    if not file.exists():
        # A million rows are the same piece again and again, so that making them needs no memory either.
        parts = [table(min(rows, 100_000), 1).drop(columns="outcome")] * max(1, rows // 100_000)
        made = pd.concat(parts)
        made.to_csv(file, index=False) if kind == "csv" else made.to_parquet(file, row_group_size=100_000)
        del made, parts
    words = ["predict", "scored", f"--{kind}", str(file), "--out", str(root / f"scored.{kind}"), "--force"]
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *words],
        env={**os.environ, "E2I_HOME": str(root)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"the command failed: {done.stderr}")
    peak = int(done.stderr.split()[-1]) * 1024 / MIB
    return [file.stat().st_size / MIB, peak, time.monotonic() - began]


def main() -> None:
    """Measure every size and format, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--output", type=Path, default=report.RESULTS / "predict.md")
    options = parser.parse_args()
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        trained(root)
        for kind in ("csv", "parquet"):
            found = [scored(root, kind, size) for size in options.sizes]
            rows += [
                [kind, f"{size:,}", megabytes, peak, peak - found[0][1], seconds]
                for size, (megabytes, peak, seconds) in zip(options.sizes, found, strict=True)
            ]
    report.write(
        options.output,
        "Memory and time of e2i predict",
        report.machine("lightgbm", "pandas", "pyarrow"),
        [
            report.Table(
                f"{FEATURES} features ({NUMBERS} numbers, {COUNTS} counts, {CATEGORIES} categories as text), LightGBM",
                ["file", "rows", "size of the file, MiB", "peak, MiB", "above the smallest, MiB", "seconds"],
                rows,
                "The seconds of the smallest file are the start of the program and its database, and the load of the "
                "machine. Aim: less than 1,000 MiB above the smallest file for a million rows, and no growth with the "
                "size of the file.",
            )
        ],
        command=".venv/bin/python -m benchmarks.predict",
    )


if __name__ == "__main__":
    main()
