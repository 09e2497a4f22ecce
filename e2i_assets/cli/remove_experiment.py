"""`e2i experiment remove`: retires an experiment in our tables, in MLflow and in Dagster."""

import sys
from dataclasses import asdict
from pathlib import Path

import typer
from rich.markup import escape

from e2i_assets.cli.console import document, json_output, out
from e2i_assets.cli.dagster_home import dagster_instance
from e2i_assets.cli.open_project import opened_project, shown
from e2i_assets.core.errors import E2iError
from e2i_assets.defs.launched_runs import under_way
from e2i_assets.defs.namespace import namespace_of
from e2i_assets.defs.retired_experiments import withdraw
from e2i_assets.services.project import Project
from e2i_assets.services.retire import Removable, Removed, removable, remove

_WHY = "removed by `e2i experiment remove`"


def remove_experiment(name: str, yes: bool, json: bool) -> None:
    """Retire an experiment, after a confirmation on a terminal.

    Args:
        name: The experiment.
        yes: Whether to ask no question.
        json: Print a JSON document instead of text.

    Raises:
        E2iError: There is no such experiment, a run of it is in progress, or the user declined.
    """
    with json_output(json):
        project = opened_project()
        with dagster_instance(project.settings) as instance:
            found = removable(project, name, under_way(instance, project))
            if not (yes or found.is_retired) and sys.stdin.isatty():
                _confirm(project, found)
            done = remove(project, found)
            namespace = namespace_of(project.settings)
            if name in instance.get_dynamic_partitions(namespace.partition_set):
                withdraw(instance, namespace, name, _WHY)
        _show(project, found, done)
    if json:
        document(asdict(done))


def _confirm(project: Project, found: Removable) -> None:
    steps = [f"its file {shown(found.file, project.settings.root)} moves to the state folder"] if found.file else []
    steps += [f"its model {found.champion} is no longer in use"] if found.champion else []
    steps += ["what was made for it is kept"]
    err_text = f"{found.name} is retired: {', '.join(steps)}. Continue?"
    if not typer.confirm(err_text, err=True):
        raise E2iError(f"nothing was changed: {found.name} stays")


def _show(project: Project, found: Removable, done: Removed) -> None:
    if found.is_retired:
        out.print(f"{found.name} is retired since {_moment(done)}: there is nothing to do.", highlight=False)
        return
    out.print(f"[green]{found.name} is retired.[/] Its studies, models and runs are kept.", highlight=False)
    if done.champion:
        out.print(f"The model {done.champion} is no longer in use.", highlight=False)
    if done.aliases not in (None, "moved"):
        out.print(f"[yellow]Its alias in MLflow could not be removed:[/] {escape(str(done.aliases))}", highlight=False)
    if done.file:
        back = f"experiments/{found.name}.yaml"
        where = escape(shown(done.file, project.settings.root))
        out.print(f"Its file is now {where}: put it back as {back} to continue.", highlight=False, soft_wrap=True)
    component = (found.row.upstream or {}).get("component") if found.row else None
    if component and Path(str(component)).exists():
        out.print(
            f"[yellow]Its component {escape(str(component))} is still there:[/] delete it, or its next materialization "
            "makes the experiment active again.",
            highlight=False,
            soft_wrap=True,
        )


def _moment(done: Removed) -> str:
    return f"{done.retired_at.astimezone():%Y-%m-%d %H:%M}" if done.retired_at else "now"
