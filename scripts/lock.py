"""Writes requirements.lock from pyproject.toml, or checks with --check that the two match.

The first line of the lock is a digest of the parts of pyproject.toml that determine the lock, so the check needs
neither a network nor uv.
"""

import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
GROUPS = ("dev", "docs")
OPTIONS = ["--universal", "--generate-hashes", "--no-header", "--python-version", "3.11", "--quiet"]
OPTIONS += [word for group in GROUPS for word in ("--group", group)]


def main(arguments: list[str]) -> int:
    """Check or write the lock; pass other arguments to uv (``--upgrade``, ``--upgrade-package NAME``)."""
    first_line = (
        f"# From pyproject.toml, dependencies {digest()}, by `make lock`; CONTRIBUTING.md says why this form.\n"
    )
    if arguments == ["--check"]:
        if LOCK.read_text().startswith(first_line):
            return 0
        print(
            "requirements.lock does not belong to the dependencies in pyproject.toml: run `make lock`.", file=sys.stderr
        )
        return 1
    uv = Path(sys.executable).with_name("uv")  # the locked uv: its version determines the format of the lock
    subprocess.run(
        [uv, "pip", "compile", "pyproject.toml", *OPTIONS, "-o", LOCK.name, *arguments], cwd=ROOT, check=True
    )
    LOCK.write_text(first_line + LOCK.read_text())
    return 0


def digest() -> str:
    """Return a short digest of the parts of pyproject.toml that determine the lock."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = settings["project"]
    deciding = [
        OPTIONS,
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
