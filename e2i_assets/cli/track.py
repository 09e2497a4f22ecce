"""`e2i track`: what MLflow has of the trainings, and, when asked, sends what it missed."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from e2i_assets.cli.catch_up import caught_up
from e2i_assets.cli.console import FAILED, document, for_a_program, out
from e2i_assets.cli.dagster_home import dagster_instance
from e2i_assets.cli.open_project import opened_project
from e2i_assets.services import track_runs
from e2i_assets.services.project import Project


def track(names: Sequence[str], catch_up: bool, json: bool) -> None:
    """Say which trainings MLflow has, and leave with 1 when a catching up has left something behind.

    Args:
        names: Experiments; all when none is named.
        catch_up: Send what MLflow missed, and close the runs that a crash left open.
        json: Print a document instead of a table.
    """
    with for_a_program(json):
        project = opened_project()
    for name in names:
        project.experiment(name)
    asked: list[str | None] = [*names] or [None]
    sent = [one for name in asked for one in caught_up(project, name)] if catch_up else []
    closed = track_runs.close_stale(project, lambda run_id: _has_ended(project, run_id)) if catch_up else []
    found = _found(project, names)
    if json:
        tried = [{"experiment": one.experiment, **asdict(one.result)} for one in sent]
        document({"trainings": found, "tried": tried, "closed": closed})
    else:
        out.print(_table(found))
        for one in sent:
            was_sent = one.result.status == "logged"
            word = "[green]sent[/]" if was_sent else f"[yellow]{escape(track_runs.said(one.result))}[/]"
            out.print(f"{one.experiment}: {word}", highlight=False)
        for run_id in closed:
            out.print(f"MLflow run {run_id} said RUNNING of a run that is over: closed as FAILED.", highlight=False)
        _say_what_next(found, catch_up)
    if catch_up and any(one["waiting"] for one in found):
        raise typer.Exit(FAILED)


def _has_ended(project: Project, dagster_run_id: str) -> bool:
    """Whether a Dagster run is over, or unknown: then nobody is going to end its MLflow run."""
    with dagster_instance(project.settings) as instance:
        run = instance.get_run_by_id(dagster_run_id)
        return run is None or run.is_finished


def _found(project: Project, names: Sequence[str]) -> list[dict[str, Any]]:
    waiting = {(one.experiment, one.identity): one.reason for one in track_runs.waiting(project)}
    return [
        {
            "experiment": link.experiment_name,
            "training_run_id": link.training_run_id,
            "study": link.study_name,
            "mlflow_run_id": link.mlflow_run_id,
            "waiting": waiting.get((link.experiment_name, link.spec_hash)),
        }
        for link in project.training_runs.links()
        if link.status == "finished" and (not names or link.experiment_name in names)
    ]


def _table(found: Sequence[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in ("experiment", "training", "MLflow run"):
        table.add_column(column, overflow="fold")
    for one in found:
        waits = f"[yellow]waits:[/] {escape(one['waiting'])}" if one["waiting"] else "[red]not there[/]"
        table.add_row(one["experiment"], one["training_run_id"], one["mlflow_run_id"] or waits)
    return table


def _say_what_next(found: Sequence[dict[str, Any]], catch_up: bool) -> None:
    if not found:
        out.print("There is no finished training yet: `e2i run` makes one.")
    elif any(one["waiting"] for one in found):
        word = "MLflow still does not take them: start it, or correct E2I_MLFLOW_TRACKING_URI, then" if catch_up else ""
        out.print(f"{word} `e2i track --catch-up` sends what waits.".strip(), highlight=False)
