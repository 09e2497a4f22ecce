"""`e2i track`: shows which trainings MLflow has and, on request, sends those that it missed."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from e2i_assets.cli.catch_up import caught_up
from e2i_assets.cli.console import FAILED, document, json_output, out
from e2i_assets.cli.dagster_home import dagster_instance
from e2i_assets.cli.open_project import opened_project
from e2i_assets.services import track_runs
from e2i_assets.services.project import Project


def track(names: Sequence[str], catch_up: bool, json: bool) -> None:
    """Print which trainings MLflow has, and exit with 1 if a training still waits after catching up.

    Args:
        names: Experiments; all if empty.
        catch_up: Send trainings that MLflow missed, and close the MLflow runs that a crash left open.
        json: Print a JSON document instead of a table.
    """
    with json_output(json):
        project = opened_project()
    for name in names:
        project.experiment(name)
    chosen: list[str | None] = [*names] or [None]
    sent = [one for name in chosen for one in caught_up(project, name)] if catch_up else []
    closed = track_runs.close_stale(project, lambda run_id: _has_ended(project, run_id)) if catch_up else []
    found = _found(project, names)
    if json:
        tried = [{"experiment": one.experiment, **asdict(one.result)} for one in sent]
        document({"trainings": found, "tried": tried, "closed": closed})
    else:
        out.print(_table(found))
        for one in sent:
            was_sent = one.result.status == "logged"
            word = "[green]sent[/]" if was_sent else f"[yellow]{escape(track_runs.reason_text(one.result))}[/]"
            out.print(f"{one.experiment}: {word}", highlight=False)
        for run_id in closed:
            out.print(f"MLflow run {run_id} was RUNNING after its run had ended: set to FAILED.", highlight=False)
        _print_next_step(found, catch_up)
    if catch_up and any(one["waiting"] for one in found):
        raise typer.Exit(FAILED)


def _has_ended(project: Project, dagster_run_id: str) -> bool:
    """Return whether a Dagster run has ended or is unknown, so that nothing will close its MLflow run."""
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
        waits = f"[yellow]waits:[/] {escape(one['waiting'])}" if one["waiting"] else "[red]missing[/]"
        table.add_row(one["experiment"], one["training_run_id"], one["mlflow_run_id"] or waits)
    return table


def _print_next_step(found: Sequence[dict[str, Any]], catch_up: bool) -> None:
    if not found:
        out.print("There is no finished training yet: `e2i run` trains a model.")
    elif any(one["waiting"] for one in found):
        word = "MLflow is still unavailable: start it or correct E2I_MLFLOW_TRACKING_URI, then" if catch_up else ""
        out.print(f"{word} `e2i track --catch-up` sends the waiting trainings.".strip(), highlight=False)
