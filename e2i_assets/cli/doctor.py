"""`e2i doctor`: what is wrong with this installation and its project, and what to do."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

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
    """Look at the daemon, at runs that do not start or whose process has died, and at the pool of studies."""
    import dagster as dg

    from e2i_assets.cli.dagster_home import dagster_instance
    from e2i_assets.defs.abandoned_runs import UNFINISHED, dead_runs

    with dagster_instance(project.settings) as instance:
        daemon = any(one.last_heartbeat for one in instance.get_daemon_statuses().values() if one.healthy)
        if daemon:
            yield Finding("daemon", "ok", "runs: sensors and schedules are evaluated")
        else:
            advice = "`e2i up` starts it; `e2i run` works without it"
            yield Finding("daemon", "ok", "does not run: no sensor or schedule is evaluated", advice)
        queued = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))
        if queued and not daemon:
            found = f"{len(queued)} runs wait in the queue, which only a daemon starts: {_named(queued)}"
            yield Finding(
                "queue", "warning", found, "`e2i up` starts them; cancel them in Dagster if they are not wanted"
            )
        running = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
        dead = dead_runs(project, instance, running)
        for run in dead:
            found = f"run {run.run_id} of {_name(run)} is recorded as running, and its process has died"
            advice = f"`e2i run {_name(run)}` closes and resumes it; a daemon closes it too"
            yield Finding("runs", "warning", found, advice)
        if not dead:
            yield Finding("runs", "ok", f"{len(running)} running, none of them dead")
        yield _pool(instance, {run.run_id for run in dead})


def _pool(instance: "DagsterInstance", dead: set[str]) -> Finding:
    """Look at the pool of studies: who has its slots, who waits, and who has ended without freeing one."""
    import dagster as dg

    from e2i_assets.defs.search_assets import STUDIES

    pool = instance.event_log_storage.get_concurrency_info(STUDIES)
    holders, waiting = pool.active_run_ids, pool.pending_run_ids
    asked = list(holders | waiting)
    runs = {run.run_id: run for run in instance.get_runs(dg.RunsFilter(run_ids=asked))} if asked else {}

    def named(ids: set[str]) -> str:
        return ", ".join(_name(runs[one]) if one in runs else one for one in sorted(ids))

    found = f"{len(holders)} of {pool.slot_count or pool.limit} slots of the pool {STUDIES} in use"
    found += f": {named(holders)}" if holders else ""
    found += f"; waiting: {named(waiting)}" if waiting else ""
    if ended := {one for one in holders if one in dead or one not in runs or runs[one].is_finished}:
        advice = "any `e2i run`, or a daemon, frees it"
        return Finding("pool", "warning", f"{found}; ended without freeing its slot: {named(ended)}", advice)
    return Finding("pool", "ok", found)


def _name(run: "DagsterRun") -> str:
    """Return the experiment of a run, or its job."""
    from e2i_assets.defs.launched_runs import PARTITION_TAG

    return run.tags.get(PARTITION_TAG, run.job_name)


def _named(runs: "Sequence[DagsterRun]") -> str:
    """Return the experiments of the first runs."""
    return ", ".join(sorted(map(_name, runs))[:5])
