"""Writes requirements.lock and deploy/requirements.lock from pyproject.toml, or checks with --check that they match.

The second is the part of the first that a deployment needs. The first line of each lock is a digest of the parts of
pyproject.toml that determine the locks, so the check needs neither a network nor uv.
"""

import hashlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
# What the image installs: without development and documentation, with the extras for several machines.
IMAGE_LOCK = ROOT / "deploy" / "requirements.lock"
GROUPS = ("dev", "docs")
COMMON = ["--universal", "--generate-hashes", "--no-header", "--python-version", "3.11", "--quiet"]
OPTIONS = [*COMMON, *(word for group in GROUPS for word in ("--group", group))]
EXTRAS = ("dask", "kubernetes", "s3")
IMAGE_OPTIONS = [*COMMON, *(word for one in EXTRAS for word in ("--extra", one)), "--constraint", "requirements.lock"]
# The image has XGBoost's own build without CUDA (18 instead of 227 MB): the same module, version and models.
IMAGE_OPTIONS += ["-", "--no-emit-package", "xgboost"]


def main(arguments: list[str]) -> int:
    """Check or write the lock; pass other arguments to uv (``--upgrade``, ``--upgrade-package NAME``)."""
    first_line = (
        f"# From pyproject.toml, dependencies {digest()}, by `make lock`; CONTRIBUTING.md says why this form.\n"
    )
    if arguments == ["--check"]:
        wrong = [lock.relative_to(ROOT) for lock in (LOCK, IMAGE_LOCK) if not lock.read_text().startswith(first_line)]
        for lock in wrong:
            print(f"{lock} does not belong to the dependencies in pyproject.toml: run `make lock`.", file=sys.stderr)
        return 1 if wrong else 0
    uv = Path(sys.executable).with_name("uv")  # the locked uv: its version determines the format of the lock
    for lock, options in ((LOCK, [*OPTIONS, *arguments]), (IMAGE_LOCK, IMAGE_OPTIONS)):
        name = str(lock.relative_to(ROOT))
        command = [str(uv), "pip", "compile", "pyproject.toml", *options, "-o", name]
        subprocess.run(command, cwd=ROOT, check=True, input=xgboost_without_cuda(), text=True)
        lock.write_text(first_line + lock.read_text())
    return 0


def xgboost_without_cuda() -> str:
    """Return the requirement of the image that replaces `xgboost`, in the version of the lock."""
    found = re.search(r"^xgboost==(\S+)", LOCK.read_text(), re.MULTILINE)
    if found is None:
        raise SystemExit(f"{LOCK} has no xgboost")
    return f"xgboost-cpu=={found[1]}\n"


def digest() -> str:
    """Return a short digest of the parts of pyproject.toml that determine the lock."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = settings["project"]
    deciding = [
        OPTIONS,
        IMAGE_OPTIONS,
        project["requires-python"],
        project["dependencies"],
        project.get("optional-dependencies"),
        *(settings["dependency-groups"][group] for group in GROUPS),
        settings["build-system"]["requires"],
        settings["tool"]["uv"],
    ]
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
