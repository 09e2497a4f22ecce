"""Opens the project of a command: settings from the environment, a running and migrated database."""

from pathlib import Path

from e2i_assets.adapters.settings import Settings, current_settings
from e2i_assets.cli.console import out
from e2i_assets.services.prepare import prepared_project
from e2i_assets.services.project import Project


def settings() -> Settings:
    """Return the settings of this process."""
    return current_settings()


def opened_project(verbose: bool = False) -> Project:
    """Return the project, with its database running and its tables up to date; see `prepared_project`."""
    found = settings()
    project, report = prepared_project(found, out.status)
    if verbose:
        kind = "your server" if found.database_url else f"embedded, in {shown(found.state, found.root)}/postgres"
        news = f", {len(report.applied)} migrations applied" if report.applied else ""
        out.print(f"[green]PostgreSQL[/] {project.database.redacted} ({kind}){news}")
    return project


def shown(path: Path, root: Path) -> str:
    """Return a path relative to the project folder if it is inside it, else unchanged."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
