"""Runs the image `e2i_assets` as a deployment does: PostgreSQL, migration, code server, two experiments, all checks.

    python scripts/smoke_image.py docker|podman [option ...] [-- option of its `run` ...]

All containers run as the user of the image, on a read-only root file system, with `experiments/` and `data/` read-only.
PostgreSQL is the one in the image, so that no other image is needed. All containers share its network.
"""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

EXPERIMENT = """\
name: {name}
owner: team:data-science
source: {{csv: data/smoke.csv}}
target: bought
problem_type: binary_classification
algorithm: {algorithm}
hpo: {{trials: 5}}
"""
# Both load native libraries that the image replaces or adds: XGBoost without CUDA, and OpenMP.
EXPERIMENTS = {"smoke": "LightGBM", "smoke_xgboost": "XGBoost"}
LIMIT_MB = 1200
POSTGRES = """\
bin=$(python -c 'from e2i_assets.adapters.postgres import binaries; print(binaries.packaged_binaries())')
printf %s "$SMOKE_PASSWORD" > /tmp/password
"$bin/initdb" -D /tmp/postgres -U e2i -A scram-sha-256 --pwfile=/tmp/password >/dev/null
exec "$bin/postgres" -D /tmp/postgres -k /tmp
"""
# Fails if the container runs as root, or can write outside the volume and /tmp.
LOCKED = "test $(id -u) = 10001 && ! touch /opt/e2i/probe /opt/e2i/experiments/probe /opt/e2i/data/probe 2>/dev/null"
# The image keeps the descriptions of few of AWS's services.
OBJECT_STORAGE = """\
import boto3, s3fs
for service in ("s3", "sts", "sso", "sso-oidc"):
    boto3.client(service, region_name="eu-central-1", endpoint_url="http://127.0.0.1:1")
from dagster_aws.s3.compute_log_manager import S3ComputeLogManager
S3ComputeLogManager("bucket", "/tmp")
"""


def write_project(folder: Path) -> None:
    """Write experiments, their rows and the schemas of the rows, which are committed with experiments."""
    (folder / "experiments").mkdir()
    (folder / "data").mkdir()
    draw, rows = np.random.default_rng(0), 1200
    table = pd.DataFrame({"age": draw.normal(50, 12, rows).round(1), "town": draw.choice(["Ulm", "Bonn"], rows)})
    table["bought"] = np.where(table["age"] / 12 + draw.normal(size=rows) > 4.2, "yes", "no")
    table.to_csv(folder / "data" / "smoke.csv", index=False)
    for name, algorithm in EXPERIMENTS.items():
        text = EXPERIMENT.format(name=name, algorithm=algorithm)
        (folder / "experiments" / f"{name}.yaml").write_text(text)
    for name in EXPERIMENTS:
        command = [str(Path(sys.executable).with_name("e2i")), "experiment", "schema", name]
        subprocess.run(command, cwd=folder, env={"E2I_HOME": str(folder), "PATH": "/usr/bin:/bin"}, check=True)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


class Containers:
    """The containers of one smoke test, which share a network, a volume and a project."""

    def __init__(self, program: list[str], of_run: list[str], folder: Path) -> None:
        self.program = program
        self.name = f"e2i-smoke-{secrets.token_hex(4)}"
        mounts = [f"{self.name}:/opt/e2i/.e2i"]
        mounts += [f"{folder / one}:/opt/e2i/{one}:ro" for one in ("experiments", "data")]
        self.options = ["--rm", "--read-only", "--tmpfs", "/tmp", *(word for one in mounts for word in ("-v", one))]
        self.options += ["-e", "E2I_DATABASE_URL", "-e", "SMOKE_PASSWORD", *of_run]
        password = secrets.token_hex(16)
        address = f"postgresql://e2i:{password}@127.0.0.1:5432/postgres"
        self.environment = {**os.environ, "SMOKE_PASSWORD": password, "E2I_DATABASE_URL": address}

    def call(self, *words: str, quiet: bool = False) -> int:
        """Run the container program; return its exit status."""
        output = subprocess.DEVNULL if quiet else None
        command = [*self.program, *words]
        return subprocess.run(command, env=self.environment, stdout=output, stderr=output, check=False).returncode

    @contextmanager
    def server(self, name: str, command: list[str], ready: list[str], network: str | None = None) -> Iterator[str]:
        """Run a container in the background until its health check succeeds; remove it at the end.

        Raises:
            SystemExit: It did not become healthy within three minutes.
        """
        container, began = f"{self.name}-{name}", time.monotonic()
        shared = ["--network", f"container:{network}"] if network else []
        self.call("run", "-d", "--name", container, *shared, *self.options, "e2i_assets", *command, quiet=True)
        try:
            while self.call("exec", container, *ready, quiet=True):
                if time.monotonic() - began > 180:
                    self.call("logs", container)
                    raise SystemExit(f"{name} did not become healthy within 3 minutes")
                time.sleep(2)
            print(f"{name}: healthy, {time.monotonic() - began:.0f} s", flush=True)
            yield container
        finally:
            self.call("rm", "-f", container, quiet=True)

    def command(self, network: str, *words: str) -> None:
        """Run a command in a new container.

        Raises:
            SystemExit: It failed.
        """
        began = time.monotonic()
        status = self.call("run", "--network", f"container:{network}", *self.options, "e2i_assets", *words)
        print(f"{' '.join(words)}: exit {status}, {time.monotonic() - began:.0f} s", flush=True)
        if status:
            raise SystemExit(status)


def size_mb(program: list[str]) -> int:
    """Return the size of the image in megabytes."""
    command = [*program, "image", "inspect", "--format", "{{.Size}}", "e2i_assets"]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) // 1_000_000


def main(arguments: list[str]) -> int:
    """Run the test; return 0, or exit with the status of the first command that fails."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    program, of_run = arguments[:at] or ["docker"], arguments[at + 1 :]
    size = size_mb(program)
    print(f"image: {size} MB", flush=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_project(folder)
        own = Containers(program, of_run, folder)
        stack.callback(own.call, "volume", "rm", own.name, quiet=True)
        ready = ["sh", "-c", "$(find /opt/venv -path '*18/bin/pg_isready') -h 127.0.0.1"]
        network = stack.enter_context(own.server("postgres", ["sh", "-c", POSTGRES], ready))
        own.command(network, "sh", "-c", LOCKED)
        own.command(network, "e2i", "--version")
        own.command(network, "python", "-c", OBJECT_STORAGE)
        own.command(network, "e2i", "db", "migrate")
        own.command(network, "e2i", "doctor")
        served = ["dagster", "code-server", "start", "-p", "4000", "-m", "e2i_assets.definitions"]
        health = ["dagster", "api", "grpc-health-check", "-p", "4000"]
        stack.enter_context(own.server("code", served, health, network))
        own.command(network, "e2i", "run", *EXPERIMENTS)
        own.command(network, "e2i", "check", *EXPERIMENTS)
    if size > LIMIT_MB:
        raise SystemExit(f"the image has {size} MB, more than {LIMIT_MB}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
