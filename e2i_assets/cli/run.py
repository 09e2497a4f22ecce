"""`e2i run`: the graph for each experiment, as many at a time as there are cores, watched while it works."""

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

from e2i_assets.adapters.processes.parent import DIE_WITH_PARENT, end_with_parent
from e2i_assets.adapters.settings import CORES
from e2i_assets.cli.console import FAILED, document, err, for_a_program, out, speaking
from e2i_assets.cli.dagster_home import require_dagster_files
from e2i_assets.cli.open_project import opened_project, settings, shown
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
    """One experiment being run in a process of its own."""

    name: str
    process: subprocess.Popen[bytes]
    log: TextIO
    outcome_file: Path
    started: float = field(default_factory=time.time)

    def outcome(self) -> dict[str, Any]:
        """Return how it ended; a process that left no word is a failure with the end of its log."""
        self.log.close()
        if self.outcome_file.exists():
            found: dict[str, Any] = json_text.loads(self.outcome_file.read_text(encoding="utf-8"))
            self.outcome_file.unlink()
            return found
        tail = "\n".join(Path(self.log.name).read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
        return {"status": "failed", "error": f"its process ended with {self.process.returncode}:\n{tail}"}


@speaking
def run(names: Sequence[str], parallel: int, json: bool = False) -> None:
    """Tune, train and check experiments: everything from the rows to the memory.

    What is done already is kept: run it again after an interruption, a changed file or a larger budget, and only what
    is missing is made. Ends with a table of results, or with a document of them.
    """
    if os.environ.get(DIE_WITH_PARENT):
        end_with_parent()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with for_a_program(json):
        require_dagster_files(settings())
        project = opened_project(say=True)
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
    """Print what came out, what is missing, and what to do about what failed."""
    kept = [name for name, outcome in outcomes.items() if outcome["status"] == "kept"]
    finished = [name for name in outcomes if name not in failed]
    if finished:
        out.print(results_table(project, finished))
    if kept:
        out.print(f"Already there and kept as it was: {', '.join(kept)}.")
    report_checks(outcomes)
    report_missing(outcomes)
    report_files(project, finished)
    for name in failed:
        err.print(f"[bold red]{name} failed.[/] {escape(outcomes[name]['error'])}", highlight=False)
        log = shown(log_file(project, name), project.settings.root)
        err.print(f"  The whole log is in {log}. What was finished is kept: `e2i run {name}` goes on from there.")
    if finished:
        out.print(next_commands())


def run_all(project: Project, names: Sequence[str], at_a_time: int) -> dict[str, dict[str, Any]]:
    """Run experiments in processes of their own and return how each ended; none outlives this call."""
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
    """Start the process of one experiment on its share of the cores; it ends when its standard input does."""
    log_path = log_file(project, name)
    log_path.parent.mkdir(parents=True, exist_ok=True)
    # Of this process alone: another that runs the same experiment waits for its turn, and has an outcome of its own.
    outcome_file = log_path.with_name(f"{log_path.stem}.{os.getpid()}.json")
    outcome_file.unlink(missing_ok=True)
    if log_path.is_file() and log_path.stat().st_size > _LOG_BYTES:
        log_path.replace(log_path.with_suffix(".log.1"))
    log = log_path.open("a", encoding="utf-8")
    command = [sys.executable, "-m", "e2i_assets.cli.run_one", name, str(outcome_file)]
    # One thread a process, unless somebody knows better: with as many processes as cores, OpenMP's spinning threads
    # made single LightGBM fits five times slower.
    threads = project.settings.environment.get("OMP_NUM_THREADS") or "1"
    changes = {"OMP_NUM_THREADS": threads, CORES: str(cores)}
    # A session of its own: Ctrl-C reaches this process, which then ends them in order.
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
    """End the processes that still run, by force after a grace period."""
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
    """Return where the log of an experiment's run is."""
    return project.settings.state / "logs" / f"run-{name}.log"


def report_files(project: Project, finished: Sequence[str]) -> None:
    """Say which columns were not learnt from unasked, what is to know of the rows, and where each report is."""
    from e2i_assets.adapters.files.report_files import ReportMissing
    from e2i_assets.services.report import latest_report, pointed_out, unused_columns

    for name in finished:
        unused = unused_columns(project, project.experiment(name))
        for column, why in list(unused.items())[:_MOST_COLUMNS]:
            out.print(f"[yellow]{name}: {escape(column)} is not learnt from[/], {escape(why)}", highlight=False)
        if len(unused) > _MOST_COLUMNS:
            out.print(f"[yellow]{name}: nor from {len(unused) - _MOST_COLUMNS} more columns[/]: its report names them")
        for note in pointed_out(project, project.experiment(name))[:_MOST_COLUMNS]:
            out.print(f"[yellow]{name}:[/] {escape(note)}", highlight=False)
    for name in finished:
        with suppress(ReportMissing):
            path = shown(latest_report(project.settings, name), project.settings.root)
            out.print(f"The report of {name}: [bold]{path}[/]", highlight=False, soft_wrap=True)


def report_missing(outcomes: dict[str, dict[str, Any]]) -> None:
    """Say what is not where a person would look for it: no model is lost for that."""
    for name, outcome in outcomes.items():
        if outcome.get("caught_up"):
            out.print(f"{name}: MLflow now has the training that it had missed.", highlight=False)
        for what in outcome.get("missing", []):
            out.print(f"[yellow]{name}: {escape(what)}[/]", highlight=False)
    if any("MLflow" in what for outcome in outcomes.values() for what in outcome.get("missing", [])):
        out.print(
            "The models are trained and kept. When MLflow is back, `e2i track --catch-up` sends it what it missed, "
            "as does the next `e2i run`.",
            highlight=False,
        )


def report_checks(outcomes: dict[str, dict[str, Any]]) -> None:
    """Say which checks did not hold; a blocking one has failed its run already."""
    for name, outcome in outcomes.items():
        for check in outcome.get("checks", []):
            colour = "red" if check["blocking"] else "yellow"
            out.print(f"[{colour}]{name}: {check['asset']} {check['check']}[/]: {check['why']}", highlight=False)
