"""The memory and the start of an idle `e2i up`, by process.

The figure is the proportional set size: a page that several processes share counts once, divided among them.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks import report

_READY = "All services are ready"
_START_SECONDS = 300
_IDLE_SECONDS = 20
# The name of a process for a word of its command.
_NAMES = {
    "postgres": "PostgreSQL, all processes",
    "mlflow": "MLflow",
    "dagster_ui": "Dagster's webserver",
    "dagster._daemon": "Dagster's daemon",
    "api grpc": "code server of the webserver or the daemon",
    "optuna_dashboard": "Optuna dashboard",
    "e2i": "e2i up",
}


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=report.RESULTS / "up_memory.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the embedded server of root runs under another user
        machine = report.machine("dagster", "mlflow", "optuna-dashboard")
        seconds, rows = measured(Path(folder))
    rows.append(["all", sum(int(row[1]) for row in rows), sum(int(row[2]) for row in rows)])
    notes = f"Ready after {seconds:.0f} s, without automation; measured {_IDLE_SECONDS} s later."
    table = report.Table("Proportional set size", ["process", "processes", "MB"], rows, notes)
    report.write(options.out, "Memory of an idle e2i up", machine, [table], "python -m benchmarks.up_memory")


def measured(folder: Path) -> tuple[float, list[list[object]]]:
    """Return the seconds until all services answered, and name, number and memory of the processes in MB."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("E2I_")}
    settings = {"E2I_HOME": str(folder), "E2I_STATE": str(folder / "state"), "E2I_AUTOMATION": "off"}
    (folder / "experiments").mkdir()
    program = [str(Path(sys.executable).with_name("e2i")), "up"]
    began = time.monotonic()
    with (folder / "log").open("w") as log:
        up = subprocess.Popen(program, env=kept | settings, stdout=log, stderr=log, start_new_session=True)
    try:
        while _READY not in (folder / "log").read_text():
            if up.poll() is not None or time.monotonic() - began > _START_SECONDS:
                raise SystemExit(f"e2i up did not start: {(folder / 'log').read_text()}")
            time.sleep(0.2)
        seconds = time.monotonic() - began
        time.sleep(_IDLE_SECONDS)
        found: dict[str, list[float]] = {}
        for process in of_project(folder):
            found.setdefault(name_of(process), []).append(process.memory_full_info().pss / 1e6)
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(60)
    ordered = sorted(found.items(), key=lambda item: -sum(item[1]))
    return seconds, [[name, len(sizes), round(sum(sizes))] for name, sizes in ordered]


def of_project(folder: Path) -> Iterator[psutil.Process]:
    """Yield the processes of the project: those that name its folder, or have it in their environment."""
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            commands = [" ".join(one.cmdline()) for one in (process, *process.parents())]
            # PostgreSQL names the folder, and its processes rename themselves.
            if any(str(folder) in command for command in commands) or process.environ().get("E2I_HOME") == str(folder):
                yield process


def name_of(process: psutil.Process) -> str:
    """Return the name of a process in the report."""
    command = " ".join(process.cmdline())
    return next((name for word, name in _NAMES.items() if word in command), process.name())


if __name__ == "__main__":
    main()
