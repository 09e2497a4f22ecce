"""The report of a benchmark: a Markdown file of tables, with a description of the machine."""

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import ArrayLike

RESULTS = Path("benchmarks") / "results"


@dataclass(frozen=True, slots=True)
class Table:
    """A table below a heading; numbers have four significant digits, and `notes` explain the table."""

    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    notes: str = ""


def geometric_mean(values: ArrayLike) -> float:
    """Return the geometric mean of ratios above 0."""
    return float(np.exp(np.log(np.asarray(values)).mean()))


def write(path: Path, title: str, described: Mapping[str, str], tables: Iterable[Table], command: str = "") -> None:
    """Write a report, and print it.

    Args:
        path: The Markdown file; its folder is created.
        title: The subject of the measurement.
        described: The result of `machine`.
        tables: The tables.
        command: The command that repeats the measurement.
    """
    parts = [f"# {title}"]
    if command:
        parts.append(f"Measured with `{command}` in the root of the project.")
    parts.append("\n".join(f"- {name}: {value}" for name, value in described.items()))
    for table in tables:
        parts += [f"## {table.heading}", _grid(table)] + ([table.notes] if table.notes else [])
    text = "\n\n".join(parts) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(text)


def machine(*libraries: str) -> dict[str, str]:
    """Return the properties of the machine and the library versions, without names of machine or owner."""
    described = {
        "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} cores for this process",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        # On a machine with other load, only the ratios are meaningful.
        "load": f"{os.getloadavg()[0]:.1f} on average in the minute before",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }
    return described | ({"libraries": ", ".join(f"{name} {version(name)}" for name in libraries)} if libraries else {})


def _processor() -> str:
    """Return the model of the processor as Linux reports it."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _grid(table: Table) -> str:
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    return "\n".join(f"| {' | '.join(_shown(cell) for cell in line)} |" for line in lines)


def _shown(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.4g}"
    return str(cell)
