"""A project served by `e2i up` as a user does it: PostgreSQL, Dagster with its daemon, MLflow."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from quiet_port import quiet_port

_READY_SECONDS = 240


@dataclass(frozen=True, slots=True)
class Served:
    """The URLs for the browser."""

    root: Path
    dagster: str
    mlflow: str
    optuna: str


@contextmanager
def project_folder() -> Iterator[Path]:
    """Yield an empty project folder; the account of PostgreSQL can reach it even if root creates it."""
    folder = Path(tempfile.mkdtemp(prefix="e2i-ui-"))
    folder.chmod(0o755)
    (folder / "experiments").mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a shell in this folder, without the settings of the user who runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("E2I_")}
    return {**kept, "E2I_HOME": str(folder), "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}


@contextmanager
def served(folder: Path, *, automation: str = "on") -> Iterator[Served]:
    """Run `e2i up` on free ports until the end of the block, and stop it with Ctrl-C."""
    ports = {"--port": quiet_port(), "--mlflow-port": quiet_port(), "--optuna-port": quiet_port()}
    command = [
        sys.executable,
        "-m",
        "e2i_assets.cli.main",
        "up",
        *(str(word) for pair in ports.items() for word in pair),
    ]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**environment(folder), "E2I_AUTOMATION": automation},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    lines: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()), daemon=True)
    reader.start()
    try:
        deadline = time.monotonic() + _READY_SECONDS
        while not any("All services are ready" in line for line in lines):
            assert process.poll() is None, lines
            assert time.monotonic() < deadline, lines
            time.sleep(0.2)
        addresses = dict(re.findall(r"^(Dagster|MLflow|Optuna dashboard) +(http\S+)", "".join(lines), re.MULTILINE))
        yield Served(folder, addresses["Dagster"], addresses["MLflow"], addresses["Optuna dashboard"])
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(10)
        process.stdout.close()
