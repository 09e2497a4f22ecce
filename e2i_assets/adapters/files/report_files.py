"""Report files of studies and trainings: their pictures and the report, one folder per spec hash."""

import os
from collections.abc import Mapping
from pathlib import Path

import psutil

from e2i_assets.adapters.settings import Settings
from e2i_assets.core.errors import E2iError

REPORT = "report.html"
STUDY, MODEL = "study", "model"


class ReportMissing(E2iError):
    """The report does not exist."""


def report_folder(settings: Settings, experiment: str, identity: str) -> Path:
    """Return the report folder of a training; its pictures are in subfolders."""
    return settings.state / "reports" / experiment / identity[:12]


def store_pictures(folder: Path, pictures: Mapping[str, bytes]) -> None:
    """Write pictures and delete the previous pictures that are not among them."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        if old.name not in pictures:
            old.unlink()
    for name, png in pictures.items():
        replace(folder / name, png)


def stored_pictures(folder: Path) -> dict[str, bytes]:
    """Return the pictures of a folder by file name; empty if the folder does not exist."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


def replace(path: Path, content: bytes) -> None:
    """Write a file atomically: a concurrent reader sees the old or the new content."""
    for leftover in path.parent.glob(f".{path.name}.*"):
        if not psutil.pid_exists(int(leftover.suffix[1:])):
            leftover.unlink(missing_ok=True)  # left by a killed process
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(path)
