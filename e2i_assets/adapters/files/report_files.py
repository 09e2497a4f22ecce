"""The pictures of a study and of a training, and their report, as files: one folder for each identity."""

import os
from collections.abc import Mapping
from pathlib import Path

import psutil

from e2i_assets.adapters.settings import Settings
from e2i_assets.core.errors import E2iError

REPORT = "report.html"
STUDY, MODEL = "study", "model"


class ReportMissing(E2iError):
    """A report that was never written."""


def report_folder(settings: Settings, experiment: str, identity: str) -> Path:
    """Return where the report of a training stands, with its pictures in folders below."""
    return settings.state / "reports" / experiment / identity[:12]


def keep_pictures(folder: Path, pictures: Mapping[str, bytes]) -> None:
    """Write pictures in the place of those that were there; one that is not drawn any more does not stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        if old.name not in pictures:
            old.unlink()
    for name, png in pictures.items():
        replace(folder / name, png)


def kept_pictures(folder: Path) -> dict[str, bytes]:
    """Return the pictures of a folder by file name; none where there is no folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


def replace(path: Path, content: bytes) -> None:
    """Write a file whole: whoever opens it at that moment sees the old one or the new one."""
    for left in path.parent.glob(f".{path.name}.*"):
        if not psutil.pid_exists(int(left.suffix[1:])):
            left.unlink(missing_ok=True)  # by a process that was killed
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(path)
