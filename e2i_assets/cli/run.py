"""`e2i run`: runs the graph of each experiment in its own process, one per core at a time, and shows the progress."""

import json as json_text
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import typer
from rich.markup import escape

from e2i_assets.adapters.environment_values import CORES
from e2i_assets.adapters.processes.parent import DIE_WITH_PARENT, end_with_parent
from e2i_assets.cli.console import FAILED, document, err, json_output, out, with_error_messages
from e2i_assets.cli.open_project import opened_project, shown
from e2i_assets.cli.progress_display import ProgressDisplay
from e2i_assets.cli.results import next_commands, results, results_table
from e2i_assets.services.project import Project
from e2i_assets.services.register import registered

_POLL_SECONDS = 0.5
_GRACE_SECONDS = 3.0
_MOST_COLUMNS = 5
_LOG_BYTES = 5_000_000


@dataclass(slots=True)
class ExperimentRun:
    """The run of one experiment in its own process."""

    name: str
    process: subprocess.Popen[bytes]
    log: TextIO
    outcome_file: Path
    started: float = field(default_factory=time.time)

    def outcome(self) -> dict[str, Any]:
        """Return the outcome. A process that wrote none has failed; the error is then the end of its log."""
        self.log.close()
        if self.outcome_file.exists():
            found: dict[str, Any] = json_text.loads(self.outcome_file.read_text(encoding="utf-8"))
            self.outcome_file.unlink()
            return found
        tail = "\n".join(Path(self.log.name).read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
        return {"status": "failed", "error": f"the process exited with {self.process.returncode}:\n{tail}"}


@with_error_messages
def run(names: Sequence[str], parallel: int, json: bool = False) -> None:
    """Tune, train and check experiments: all assets, from the rows to the memory.

    Finished work is not repeated: after an interruption, a changed file or a larger budget, only the missing parts are
    computed. Ends with a table of results, or with a JSON document.
    """
    if os.environ.get(DIE_WITH_PARENT):
        end_with_parent()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with json_output(json):
        project = opened_project(verbose=True)
        chosen = registered(project, names)
        outcomes = run_all(project, chosen, min(parallel or project.settings.cores, len(chosen)))
        failed = [name for name, outcome in outcomes.items() if outcome["status"] == "failed"]
        report(project, outcomes, failed)
    if json:
        found = results(project, [name for name in chosen if name not in failed])
        document([{"experiment": name, **outcomes[name], **found.get(name, {})} for name in chosen])
    if failed:
        raise typer.Exit(FAILED)


def report(project: Project, outcomes: dict[str, dict[str, Any]], failed: Sequence[str]) -> None:
    """Print the results, what is missing, and how to proceed after failures."""
    up_to_date = [name for name, outcome in outcomes.items() if outcome["status"] == "up_to_date"]
    finished = [name for name in outcomes if name not in failed]
    if finished:
        out.print(results_table(project, finished))
    if up_to_date:
        out.print(f"Already up to date: {', '.join(up_to_date)}.")
    report_checks(outcomes)
    report_missing(outcomes)
    report_files(project, finished)
    for name in failed:
        err.print(f"[bold red]{name} failed.[/] {escape(outcomes[name]['error'])}", highlight=False)
        log = shown(log_file(project, name), project.settings.root)
        err.print(f"  The full log is in {log}. Finished work is saved: `e2i run {name}` resumes.")
    if finished:
        out.print(next_commands())


def run_all(project: Project, names: Sequence[str], at_a_time: int) -> dict[str, dict[str, Any]]:
    """Run each experiment in its own process and return the outcomes. No process outlives this call."""
    waiting = list(names)
    running: dict[str, ExperimentRun] = {}
    outcomes: dict[str, dict[str, Any]] = {}
    with ProgressDisplay(project, names) as progress_display:
        try:
            while waiting or running:
                while waiting and len(running) < at_a_time:
                    name = waiting.pop(0)
                    running[name] = started(project, name, max(project.settings.cores // at_a_time, 1))
                for name in [name for name, one in running.items() if one.process.poll() is not None]:
                    outcomes[name] = running.pop(name).outcome()
                    progress_display.ended(name, outcomes[name])
                progress_display.show({name: one.started for name, one in running.items()})
                time.sleep(_POLL_SECONDS)
        finally:
            end_all(list(running.values()))
    return {name: outcomes[name] for name in names}


def started(project: Project, name: str, cores: int) -> ExperimentRun:
    """Start the process of one experiment with its share of the cores. It exits when its standard input closes."""
    log_path = log_file(project, name)
    log_path.parent.mkdir(parents=True, exist_ok=True)
    # One file per process: another process that runs the same experiment waits for the lock and writes its own outcome.
    outcome_file = log_path.with_name(f"{log_path.stem}.{os.getpid()}.json")
    outcome_file.unlink(missing_ok=True)
    if log_path.is_file() and log_path.stat().st_size > _LOG_BYTES:
        log_path.replace(log_path.with_suffix(".log.1"))
    log = log_path.open("a", encoding="utf-8")
    command = [sys.executable, "-m", "e2i_assets.cli.run_one", name, str(outcome_file)]
    # One thread per process unless the user sets another number: with as many processes as cores, OpenMP's busy-waiting
    # threads made single LightGBM fits five times slower.
    threads = project.settings.environment.get("OMP_NUM_THREADS") or "1"
    changes = {"OMP_NUM_THREADS": threads, CORES: str(cores)}
    # A new session: Ctrl-C reaches only this process, which then stops the others in order.
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        cwd=project.settings.root,
        env=project.settings.child_environment(project.database.url, **changes),
        start_new_session=True,
    )
    return ExperimentRun(name, process, log, outcome_file)


def end_all(runs: Sequence[ExperimentRun]) -> None:
    """Terminate the running processes; kill them after a grace period."""
    for one in runs:
        one.process.terminate()
    for one in runs:
        try:
            one.process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            one.process.kill()
            one.process.wait()
        one.log.close()


def log_file(project: Project, name: str) -> Path:
    """Return the path of the log of an experiment's run."""
    return project.settings.state / "logs" / f"run-{name}.log"


def report_files(project: Project, finished: Sequence[str]) -> None:
    """Print columns that were excluded automatically, notes about the rows, and the path of each report."""
    from e2i_assets.adapters.files.report_files import ReportMissing
    from e2i_assets.services.write_report import latest_report, pointed_out, unused_columns

    for name in finished:
        unused = unused_columns(project, project.experiment(name))
        for column, why in list(unused.items())[:_MOST_COLUMNS]:
            out.print(f"[yellow]{name}: {escape(column)} is not used as a feature[/], {escape(why)}", highlight=False)
        if len(unused) > _MOST_COLUMNS:
            out.print(f"[yellow]{name}: {len(unused) - _MOST_COLUMNS} more columns are not used[/]: see the report")
        for note in pointed_out(project, project.experiment(name))[:_MOST_COLUMNS]:
            out.print(f"[yellow]{name}:[/] {escape(note)}", highlight=False)
    for name in finished:
        with suppress(ReportMissing):
            path = shown(latest_report(project.settings, name), project.settings.root)
            out.print(f"Report of {name}: [bold]{path}[/]", highlight=False, soft_wrap=True)


def report_missing(outcomes: dict[str, dict[str, Any]]) -> None:
    """Print what is missing in MLflow or in the traces. The models are complete without it."""
    for name, outcome in outcomes.items():
        if outcome.get("caught_up"):
            out.print(f"{name}: the training that MLflow had missed is now in MLflow.", highlight=False)
        for what in outcome.get("missing", []):
            out.print(f"[yellow]{name}: {escape(what)}[/]", highlight=False)
    if any("MLflow" in what for outcome in outcomes.values() for what in outcome.get("missing", [])):
        out.print(
            "The models are trained and stored. When MLflow is available, `e2i track --catch-up` sends what it missed, "
            "as does the next `e2i run`.",
            highlight=False,
        )


def report_checks(outcomes: dict[str, dict[str, Any]]) -> None:
    """Print the checks that did not pass. A failed blocking check has already failed its run."""
    for name, outcome in outcomes.items():
        for check in outcome.get("checks", []):
            colour = "red" if check["blocking"] else "yellow"
            out.print(f"[{colour}]{name}: {check['asset']} {check['check']}[/]: {check['why']}", highlight=False)
