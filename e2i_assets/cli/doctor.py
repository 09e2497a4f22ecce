"""`e2i doctor`: what is wrong with this installation and its project, and what to do."""

from collections.abc import Iterator
from dataclasses import asdict

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from e2i_assets.adapters.postgres.roles import as_worker
from e2i_assets.adapters.postgres.server import database
from e2i_assets.adapters.settings import current_settings
from e2i_assets.cli.console import FAILED, document, err, json_output, out
from e2i_assets.services.diagnose import Finding, findings
from e2i_assets.services.project import Project, opened

_WORDS = {"ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "error": "[bold red]error[/]"}


def doctor(json: bool) -> None:
    """Print the findings, and exit with 1 if one of them is an error. Nothing is changed."""
    settings = current_settings()
    with json_output(json), out.status("Looking ..."):
        project = opened(settings, database(settings))
        found = list(findings(project))
        if not any(one.subject == "database" and one.level == "error" for one in found):
            found += _dagster(Project(settings, as_worker(project.database)))
    if json:
        document([asdict(one) for one in found])
    else:
        table = Table("", "", "found", "what to do", box=box.SIMPLE_HEAD)
        for one in found:
            table.add_row(one.subject, _WORDS[one.level], escape(one.state), escape(one.advice))
        out.print(table)
    if any(one.level == "error" for one in found):
        if not json:
            err.print("Solve the errors from the top: a later one may be the consequence of an earlier one.")
        raise typer.Exit(FAILED)


def _dagster(project: Project) -> Iterator[Finding]:
    """Look at the daemon, and at runs whose process has died."""
    import dagster as dg

    from e2i_assets.cli.dagster_home import dagster_instance
    from e2i_assets.defs.abandoned_runs import UNFINISHED, dead_runs
    from e2i_assets.defs.launched_runs import PARTITION_TAG

    with dagster_instance(project.settings) as instance:
        beats = [one.last_heartbeat for one in instance.get_daemon_statuses().values() if one.healthy]
        if any(beats):
            yield Finding("daemon", "ok", "runs: sensors and schedules are evaluated")
        else:
            advice = "`e2i up` starts it; `e2i run` works without it"
            yield Finding("daemon", "ok", "does not run: no sensor or schedule is evaluated", advice)
        running = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
        dead = dead_runs(project, instance, running)
        for run in dead:
            name = run.tags.get(PARTITION_TAG, run.job_name)
            found = f"run {run.run_id} of {name} is recorded as running, and its process has died"
            yield Finding("runs", "warning", found, f"`e2i run {name}` closes and resumes it; a daemon closes it too")
        if not dead:
            yield Finding("runs", "ok", f"{len(running)} running, none of them dead")
