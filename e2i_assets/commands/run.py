"""`e2i run`: the graph for each experiment, as many at a time as there are cores, watched while it works."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import typer

from e2i_assets.adapters.settings import CORES
from e2i_assets.adapters.workspace import Workspace
from e2i_assets.commands.board import Board
from e2i_assets.commands.console import FAILED, err, out, speaking
from e2i_assets.commands.parent import DIE_WITH_PARENT, end_with_parent
from e2i_assets.commands.project import shown, workspace
from e2i_assets.commands.registering import registered
from e2i_assets.commands.results import next_commands, results_table

_POLL_SECONDS = 0.5
_GRACE_SECONDS = 3.0


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
            found: dict[str, Any] = json.loads(self.outcome_file.read_text(encoding="utf-8"))
            return found
        tail = "\n".join(Path(self.log.name).read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
        return {"status": "failed", "error": f"its process ended with {self.process.returncode}:\n{tail}"}


@speaking
def run(
    names: Sequence[str],
    parallel: int,
) -> None:
    """Tune, train and check experiments: everything from the rows to the memory.

    What is done already is kept: run it again after an interruption, a changed file or a larger budget, and only what
    is missing is made. Ends with a table of results.
    """
    if os.environ.get(DIE_WITH_PARENT):
        end_with_parent()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    project = workspace(say=True)
    chosen = registered(project, names)
    outcomes = run_all(project, chosen, min(parallel or project.settings.cores, len(chosen)))
    failed = [name for name, outcome in outcomes.items() if outcome["status"] == "failed"]
    kept = [name for name, outcome in outcomes.items() if outcome["status"] == "kept"]
    out.print(results_table(project, [name for name in chosen if name not in failed]))
    if kept:
        out.print(f"Already there and kept as it was: {', '.join(kept)}.")
    report_checks(outcomes)
    for name in failed:
        err.print(f"[bold red]{name} failed.[/] {outcomes[name]['error']}", highlight=False)
        log = shown(log_file(project, name), project.settings.root)
        err.print(f"  The whole log is in {log}; the next `e2i run {name}` goes on from there.")
    out.print(next_commands())
    if failed:
        raise typer.Exit(FAILED)


def run_all(project: Workspace, names: Sequence[str], at_a_time: int) -> dict[str, dict[str, Any]]:
    """Run experiments in processes of their own and return how each ended; none outlives this call."""
    waiting = list(names)
    running: dict[str, ExperimentRun] = {}
    outcomes: dict[str, dict[str, Any]] = {}
    with Board(project, names) as board:
        try:
            while waiting or running:
                while waiting and len(running) < at_a_time:
                    name = waiting.pop(0)
                    running[name] = started(project, name, max(project.settings.cores // at_a_time, 1))
                for name in [name for name, one in running.items() if one.process.poll() is not None]:
                    outcomes[name] = running.pop(name).outcome()
                    board.ended(name, outcomes[name])
                board.show({name: one.started for name, one in running.items()})
                time.sleep(_POLL_SECONDS)
        finally:
            end_all(list(running.values()))
    return {name: outcomes[name] for name in names}


def started(project: Workspace, name: str, cores: int) -> ExperimentRun:
    """Start the process of one experiment on its share of the cores; it ends when its standard input does."""
    log_path = log_file(project, name)
    log_path.parent.mkdir(parents=True, exist_ok=True)
    outcome_file = log_path.with_suffix(".json")
    outcome_file.unlink(missing_ok=True)
    log = log_path.open("w", encoding="utf-8")
    command = [sys.executable, "-m", "e2i_assets.commands.run_one", name, str(outcome_file)]
    # One thread a process, unless somebody knows better: with as many processes as cores, OpenMP's spinning threads
    # made single LightGBM fits five times slower.
    environment = {"OMP_NUM_THREADS": "1", **os.environ, CORES: str(cores)}
    # A session of its own: Ctrl-C reaches this process, which then ends them in order.
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        cwd=project.settings.root,
        env=environment,
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


def log_file(project: Workspace, name: str) -> Path:
    """Return where the log of an experiment's run is."""
    return project.settings.state / "logs" / f"run-{name}.log"


def report_checks(outcomes: dict[str, dict[str, Any]]) -> None:
    """Say which checks did not hold; a blocking one has failed its run already."""
    for name, outcome in outcomes.items():
        for check in outcome.get("checks", []):
            colour = "red" if check["blocking"] else "yellow"
            out.print(f"[{colour}]{name}: {check['asset']} {check['check']}[/]: {check['why']}", highlight=False)
