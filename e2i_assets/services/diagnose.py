"""What is wrong with an installation and its project, and what to do: the service behind `e2i doctor`.

Nothing is changed, but for a file in object storage that is deleted at once. A finding that cannot be determined is an
error with its reason, and the others are still made.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

from packaging.requirements import Requirement

from e2i_assets.adapters.files.experiment_files import mistakes_by_file, read_folder
from e2i_assets.adapters.library_versions import library_version
from e2i_assets.adapters.postgres.roles import as_worker
from e2i_assets.adapters.postgres.server_facts import server_facts
from e2i_assets.core.errors import E2iError
from e2i_assets.services import track_runs
from e2i_assets.services.prepare import require_prepared
from e2i_assets.services.project import Project

Level = Literal["ok", "warning", "error"]
_LEAST_BYTES = 2e9
_MOST_CONNECTIONS_USED = 0.8


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    Attributes:
        subject: What was looked at.
        level: Whether it is fine.
        state: What was found.
        advice: What to do; empty where nothing is to do.
    """

    subject: str
    level: Level
    state: str
    advice: str = ""


def findings(project: Project) -> Iterator[Finding]:
    """Yield the findings about the packages, the files, the database and MLflow, in this order."""
    for subject, look in _LOOKS.items():
        try:
            yield from look(project)
        except (E2iError, OSError) as error:
            yield Finding(subject, "error", str(error))


def _packages(_: Project) -> Iterator[Finding]:
    """Compare the installed packages with what this version requires: another package may have changed them."""
    own = metadata.distribution("e2i_assets")
    wrong = []
    for requirement in map(Requirement, own.requires or []):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = library_version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            wrong.append(f"{requirement.name} {installed} is not {requirement.specifier}")
    python = ".".join(str(part) for part in sys.version_info[:3])
    names = ", ".join(f"{name} {library_version(name)}" for name in ("dagster", "mlflow", "optuna"))
    versions = f"e2i_assets {own.version} on Python {python}, {names}"
    if wrong:
        yield Finding("packages", "error", "; ".join(wrong), "install e2i_assets again in an environment of its own")
    else:
        yield Finding("packages", "ok", versions)


def _files(project: Project) -> Iterator[Finding]:
    folder = read_folder(project.settings.experiments)
    mistakes = mistakes_by_file(folder)
    valid = f"{len(folder.experiments)} valid files in {project.settings.experiments}"
    if mistakes:
        yield Finding("experiments", "error", f"{valid}; not valid: {', '.join(mistakes)}", "run `e2i validate`")
    else:
        yield Finding("experiments", "ok", valid)


def _state(project: Project) -> Iterator[Finding]:
    state = project.settings.state
    free = shutil.disk_usage(state).free
    found = f"{free / 1e9:.1f} GB free in {state}"
    if not os.access(state, os.W_OK):
        advice = "give the account of this process the right to write there, or set E2I_STATE"
        yield Finding("state folder", "error", f"{state} is not writable", advice)
    elif free < _LEAST_BYTES:
        yield Finding("state folder", "warning", found, "make room, or set E2I_STATE to a larger disk")
    else:
        yield Finding("state folder", "ok", found)
    if project.settings.address is not None:
        project.store.require_writable()
        yield Finding("object storage", "ok", f"{project.settings.address} can be written")


def _database(project: Project) -> Iterator[Finding]:
    require_prepared(project.database, project.settings.sql)
    facts = server_facts(as_worker(project.database))
    kind = "your server" if project.settings.database_url else "embedded"
    found = f"PostgreSQL {facts.version} ({kind}), {facts.size_bytes / 1e6:.0f} MB, tables up to date"
    yield Finding("database", "ok", found)
    if facts.acts_as == "e2i_worker":
        yield Finding("database role", "ok", "this process acts as e2i_worker")
    else:
        advice = "an administrator runs `e2i db migrate` once, or see docs/security.md"
        yield Finding("database role", "warning", f"this process acts as {facts.acts_as}, with all its rights", advice)
    used = f"{facts.connections} of {facts.most_connections} connections in use"
    if facts.connections > _MOST_CONNECTIONS_USED * facts.most_connections:
        yield Finding("connections", "warning", used, "raise max_connections, or run less at a time")
    else:
        yield Finding("connections", "ok", used)
    if facts.vector_version:
        yield Finding("pgvector", "ok", facts.vector_version)
    else:
        yield Finding("pgvector", "ok", "not installed: the memory compares all patterns, with equal results")


def _mlflow(project: Project) -> Iterator[Finding]:
    project.tracker().require_answer()
    waiting = track_runs.waiting(project)
    if waiting:
        names = ", ".join(sorted({one.experiment for one in waiting}))
        found = f"answers; {len(waiting)} trainings are not logged yet: {names}"
        yield Finding("MLflow", "warning", found, "run `e2i track --catch-up`")
    else:
        yield Finding("MLflow", "ok", "answers, and has every training")


_LOOKS: dict[str, Callable[[Project], Iterator[Finding]]] = {
    "packages": _packages,
    "experiments": _files,
    "state folder": _state,
    "database": _database,
    "MLflow": _mlflow,
}
