"""Runs the image `e2i_assets` as a user would: a project from read-only folders, one experiment, and all checks.

    python scripts/smoke_image.py docker|podman [option ...] [-- option of its `run` ...]

The root file system is read-only and the user is not root; only the volume of the state and /tmp can be written.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd

EXPERIMENT = """\
name: smoke
owner: team:data-science
source: {csv: data/smoke.csv}
target: bought
problem_type: binary_classification
algorithm: LightGBM
hpo: {trials: 5}
"""


def write_project(folder: Path) -> None:
    """Write an experiment, its rows and the schema of its rows, which is committed with an experiment."""
    (folder / "experiments").mkdir()
    (folder / "data").mkdir()
    (folder / "experiments" / "smoke.yaml").write_text(EXPERIMENT)
    draw, rows = np.random.default_rng(0), 1200
    table = pd.DataFrame({"age": draw.normal(50, 12, rows).round(1), "town": draw.choice(["Ulm", "Bonn"], rows)})
    table["bought"] = np.where(table["age"] / 12 + draw.normal(size=rows) > 4.2, "yes", "no")
    table.to_csv(folder / "data" / "smoke.csv", index=False)
    command = [str(Path(sys.executable).with_name("e2i")), "experiment", "schema", "smoke"]
    subprocess.run(command, cwd=folder, env={"E2I_HOME": str(folder), "PATH": "/usr/bin:/bin"}, check=True)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def main(arguments: list[str]) -> int:
    """Run the commands in containers; return the exit status of the first one that fails."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    program, of_run = arguments[:at] or ["docker"], arguments[at + 1 :]
    volume = f"e2i-smoke-{uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_project(folder)
        mounts = [f"{volume}:/opt/e2i/.e2i", *(f"{folder / one}:/opt/e2i/{one}:ro" for one in ("experiments", "data"))]
        run = [*program, "run", *of_run, "--rm", "--read-only", "--tmpfs", "/tmp"]
        run += [word for mount in mounts for word in ("-v", mount)]
        try:
            for command in (["--version"], ["doctor"], ["run", "smoke"], ["check", "smoke"]):
                began = time.monotonic()
                status = subprocess.run([*run, "e2i_assets", "e2i", *command], check=False).returncode
                print(f"e2i {' '.join(command)}: exit {status}, {time.monotonic() - began:.0f} s", flush=True)
                if status:
                    return status
        finally:
            subprocess.run([*program, "volume", "rm", volume], check=False, capture_output=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
