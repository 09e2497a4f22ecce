"""The project that a command works on: settings from the environment, database started and migrated."""

from pathlib import Path

from e2i_assets.adapters.postgres.roles import as_worker
from e2i_assets.adapters.postgres.server import database
from e2i_assets.adapters.settings import Settings, current_settings
from e2i_assets.cli.console import out
from e2i_assets.services.prepare import prepare
from e2i_assets.services.project import Project, opened


def settings() -> Settings:
    """Read the settings of this process."""
    return current_settings()


def opened_project(say: bool = False) -> Project:
    """Return the project with its database up and its tables there.

    Whatever is done from here on has the rights of a worker, where the database has the roles. Processes that are
    started for it get `Settings.child_environment`.
    """
    found = settings()
    with out.status("Starting PostgreSQL ..."):
        project = database(found)
        project.require_reachable()
    with out.status("Preparing the tables (the first time takes half a minute) ..."):
        report = prepare(project, found.sql)
    project = as_worker(project)
    if say:
        kind = "your server" if found.database_url else f"embedded, in {shown(found.state, found.root)}/postgres"
        news = f", {len(report.applied)} migrations applied" if report.applied else ""
        out.print(f"[green]PostgreSQL[/] {project.redacted} ({kind}){news}")
    return opened(found, project)


def shown(path: Path, root: Path) -> str:
    """Return a path as a person standing in the project folder would type it."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
