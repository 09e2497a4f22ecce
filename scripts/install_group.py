"""Adds a dependency group outside the lock, such as `browser`, to .venv until the next change of the lock."""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from index_settings import installer_environment

ROOT = Path(__file__).resolve().parent.parent


def main(group: str) -> int:
    """Install the missing packages of the group."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"][group]
    if all(is_there(requirement) for requirement in wanted):
        return 0
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "pip", "install", "--quiet", "--python", sys.executable, "--group", group]
    return subprocess.run(command, cwd=ROOT, env=installer_environment(os.environ), check=False).returncode


def is_there(requirement: str) -> bool:
    """Return whether exactly this version is installed; such a group pins each of its packages."""
    name, _, pinned = requirement.partition("==")
    try:
        return version(name) == pinned
    except PackageNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
