"""A real MLflow server on the database of a test, as `e2i up` starts it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from quiet_port import quiet_port

from e2i_assets.adapters.mlflow.client import ENVIRONMENT
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.processes.loopback import HOST


@contextmanager
def mlflow_server(database: Database, folder: Path) -> Iterator[tuple[str, int]]:
    """Yield the address and the process of a server; its artifacts and its log are in the folder."""
    port = quiet_port()
    command = [sys.executable, "-m", "e2i_assets.cli.mlflow_server", "--app-name", "e2i", "--host", HOST]
    command += ["--port", str(port), "--workers", "1", "--artifacts-destination", (folder / "artifacts").as_uri()]
    environment = {
        **os.environ,
        **ENVIRONMENT,
        "MLFLOW_BACKEND_STORE_URI": database.url_for("mlflow"),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    with (folder / "mlflow.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True)
        try:
            yield answering(f"http://{HOST}:{port}", server, folder / "mlflow.log"), server.pid
        finally:
            server.terminate()
            server.wait(20)


def answering(address: str, server: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if requests.get(f"{address}/health", timeout=2).ok:
                return address
        except requests.ConnectionError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())
