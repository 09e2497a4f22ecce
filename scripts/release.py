"""Prepares a release: the version in pyproject.toml, its section in CHANGELOG.md, the wheel, its data, and the image.

    python scripts/release.py 1.2.0     (`make release VERSION=1.2.0`)

Nothing is committed or published. After an error both files are as before.
"""

import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

_VERSION = re.compile(r'^version = "(\d+)\.(\d+)\.(\d+)"$', re.MULTILINE)
_UNRELEASED = re.compile(r"^## Unreleased\n(?P<entries>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


class ReleaseRefused(Exception):
    """This version cannot be released; nothing was changed."""


def versioned(settings: str, version: str) -> str:
    """Return the text of pyproject.toml with a new version.

    Raises:
        ReleaseRefused: It is not three numbers, or not higher than the present version.
    """
    found = _VERSION.search(settings)
    if found is None:
        raise ReleaseRefused('pyproject.toml has no line `version = "1.2.3"`')
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
        raise ReleaseRefused(f"{version!r} is no version: give three numbers, such as VERSION=1.2.0")
    present = tuple(map(int, found.groups()))
    if tuple(map(int, version.split("."))) <= present:
        raise ReleaseRefused(f"{version} is not higher than {'.'.join(found.groups())}, the version in pyproject.toml")
    return settings.replace(found[0], f'version = "{version}"', 1)


def dated(changelog: str, version: str, day: date) -> str:
    """Return the changelog with its unreleased entries under the version and the day.

    Raises:
        ReleaseRefused: There are no unreleased entries.
    """
    found = _UNRELEASED.search(changelog)
    if found is None or not found["entries"].strip():
        raise ReleaseRefused("CHANGELOG.md has no entries under `## Unreleased`")
    return changelog.replace(found[0], f"## Unreleased\n\n## {version} - {day:%Y-%m-%d}\n{found['entries']}", 1)


def require_clean(root: Path) -> None:
    """Check that git has no change and no new file.

    Raises:
        ReleaseRefused: It has some, and the message names the first five.
    """
    status = subprocess.run(["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True, check=False)
    if status.returncode:
        raise ReleaseRefused(f"git cannot compare the tree with its last commit: {status.stderr.strip()}")
    if changed := status.stdout.splitlines():
        raise ReleaseRefused("commit or remove these changes first:\n" + "\n".join(changed[:5]))


def builder() -> str | None:
    """Return the program that builds images, or None if it is not installed."""
    command = os.environ.get("BUILDER") or os.environ.get("DOCKER") or "docker"
    return shutil.which(command.split()[0])


def release(root: Path, version: str, day: date) -> str:
    """Prepare the release; return what is left to do.

    Raises:
        ReleaseRefused: The tree has changes, the version is not higher, or there are no entries.
        CalledProcessError: A build failed.
    """
    require_clean(root)
    before = {path: path.read_text() for path in (root / "pyproject.toml", root / "CHANGELOG.md")}
    settings, changelog = before.values()
    after = dict(zip(before, (versioned(settings, version), dated(changelog, version, day)), strict=True))
    state = f"e2i_assets_tests/releases/{version}.tar.gz"
    try:
        for path, text in after.items():
            path.write_text(text)
        # `make` installs the new version first.
        subprocess.run(["make", "wheel"], cwd=root, check=True)
        make_state = [sys.executable, "scripts/release_state.py", ".", state]
        subprocess.run(make_state, cwd=root, check=True)
        if builder():
            subprocess.run(["make", "image"], cwd=root, check=True)
    except BaseException:
        for path, text in before.items():
            path.write_text(text)
        (root / state).unlink(missing_ok=True)
        raise
    image = "" if builder() else "No image was built: there is no Docker (or DOCKER, BUILDER).\n"
    commit = f"git add -A && git commit -m 'Release {version}' && git tag v{version}"
    return f"{image}Look at the changes, then:\n    {commit}"


def main(arguments: list[str]) -> int:
    """Prepare the release of the version that is given."""
    if len(arguments) != 1:
        print("Give the version: make release VERSION=1.2.0", file=sys.stderr)
        return 2
    try:
        print(release(Path.cwd(), arguments[0], datetime.now(UTC).date()))
    except ReleaseRefused as reason:
        print(f"Not released: {reason}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as failed:
        print(f"Not released, and the files are as before: {failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
