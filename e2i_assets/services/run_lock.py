"""The lock that `e2i run` holds while it runs an experiment: it tells the daemon, and other machines, that it does."""

from collections.abc import Collection
from pathlib import Path

from e2i_assets.services.project import Project


def run_lock(name: str) -> str:
    """Return the name of an advisory lock, which PostgreSQL releases when the process ends in any way."""
    return f"run {name}"


def unfinished_run(project: Project, name: str) -> Path:
    """Return the path of a file that exists until Dagster has the end of the last run of an experiment on record.

    A run cannot record its end without its database, also when all its assets are complete. Then the next `e2i run`,
    which has nothing else to do, and would not open Dagster's storage, closes it.
    """
    return project.settings.state / "dagster" / "unfinished" / name


def run_by_command(project: Project, names: Collection[str]) -> set[str]:
    """Return those of the experiments that a live `e2i run` works on."""
    held = project.database.held_locks([run_lock(name) for name in names])
    return {name for name in names if run_lock(name) in held}
