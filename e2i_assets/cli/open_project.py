"""The project that a command works on: settings from the environment, database started and migrated."""

import os
from pathlib import Path

from e2i_assets.adapters.postgres.roles import as_worker
from e2i_assets.adapters.postgres.server import database
from e2i_assets.adapters.settings import DATABASE_URL, Settings, from_environment
from e2i_assets.cli.console import out
from e2i_assets.services.prepare import prepare
from e2i_assets.services.project import Project, opened


def settings() -> Settings:
    """Read the settings of this process."""
    return from_environment(os.environ)


def opened_project(say: bool = False) -> Project:
    """Return the project with its database up and its tables there.

    Whatever is done from here on has the rights of a worker, where the database has the roles. The address goes into
    the environment, so that every process started from here works on the same database.
    """
    found = settings()
    with out.status("Starting PostgreSQL ..."):
        project = database(found)
        project.require_reachable()
    with out.status("Preparing the tables (the first time takes half a minute) ..."):
        report = prepare(project, found.sql)
    project = as_worker(project)
    os.environ[DATABASE_URL] = project.url
    if say:
        kind = "your server" if found.database_url else f"embedded, in {shown(found.state, found.root)}/postgres"
        news = f", {len(report.applied)} migrations applied" if report.applied else ""
        out.print(f"[green]PostgreSQL[/] {project.redacted} ({kind}){news}")
    return opened(found, project)


def shown(path: Path, root: Path) -> str:
    """Return a path as a person standing in the project folder would type it."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
