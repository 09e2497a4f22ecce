"""Serves MLflow in one process: `mlflow server` keeps a second one, of 190 MB, that only waits for the first."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn


def main() -> None:
    """Become the server that `mlflow server` would start and wait for."""
    import mlflow.cli
    import mlflow.server

    program: Any = mlflow.server
    program._exec_cmd = become
    mlflow.cli.cli(["server", *sys.argv[1:]])


def become(command: Sequence[str], extra_env: Mapping[str, str], **_: object) -> NoReturn:
    """Replace the program of this process; MLflow's function of this signature starts a child."""
    os.execve(command[0], [*command], {**os.environ, **extra_env})


if __name__ == "__main__":
    main()
