"""Runs an experiment as a process of its own, so that a notebook stays free of Dagster, MLflow and their threads."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from e2i_assets.adapters.processes.parent import DIE_WITH_PARENT
from e2i_assets.core.errors import E2iError
from e2i_assets.services.project import Project
from e2i_assets.services.run_progress import run_place

_SECONDS_BETWEEN_LINES = 1.0


class RunFailed(E2iError):
    """The run of an experiment failed; finished work is kept, and the next run resumes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """The outcome of a run that succeeded.

    Attributes:
        experiment: Name of the experiment.
        status: ``up_to_date`` if there was nothing to do.
        algorithm: Its algorithm.
        metric: The optimised metric. The three values are in its unit and natural orientation; None without a search.
        defaults_on_validation: Of the default parameters.
        tuned_on_validation: Of the best trial.
        tuned_on_test: Of the final model.
        trials: Numbers of ``completed``, ``pruned`` and ``failed`` trials.
        study: Name of the study in Optuna, None without a search.
        mlflow_run_id: The run in MLflow; None while MLflow is not available.
        checks: The checks that did not pass: ``asset``, ``check``, ``why`` and ``blocking``.
        missing: What MLflow or the traces lack, one sentence each.
    """

    experiment: str
    status: Literal["done", "up_to_date"]
    algorithm: str
    metric: str
    defaults_on_validation: float | None
    tuned_on_validation: float | None
    tuned_on_test: float | None
    trials: Mapping[str, int]
    study: str | None
    mlflow_run_id: str | None
    checks: tuple[Mapping[str, Any], ...] = ()
    missing: tuple[str, ...] = ()


def run(project: Project, name: str, progress: bool | None = None) -> RunResult:
    """Run an experiment and wait for it.

    Args:
        project: The project.
        name: Name of the experiment.
        progress: Whether to show a line of progress on the standard error; None: on a terminal and in a notebook.

    Raises:
        RunFailed: The run failed.
    """
    settings = project.settings
    command = [sys.executable, "-m", "e2i_assets.cli.main", "run", name, "--json"]
    # A session of its own: an interruption reaches only this process, which then ends the other one in order.
    running = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=settings.root,
        env={**settings.environment, DIE_WITH_PARENT: "1"},
        start_new_session=True,
    )
    try:
        answer, errors = _waited(running, project, name, _is_watched() if progress is None else progress)
    except BaseException:
        running.terminate()  # not SIGINT, which the children of a background job ignore
        running.communicate()
        raise
    if not answer.strip():
        raise RunFailed(errors.strip().removeprefix("Error: ") or f"e2i run {name} exited with {running.returncode}")
    (found,) = json.loads(answer)
    if found["status"] == "failed":
        log = settings.state / "logs" / f"run-{name}.log"
        raise RunFailed(f"{name} failed. {found['error']}\nThe full log is {log}. Finished work is saved.")
    known = {one.name for one in fields(RunResult)}
    lists = {key: tuple(found[key]) for key in ("checks", "missing") if key in found}
    return RunResult(**{key: value for key, value in {**found, **lists}.items() if key in known})


def _waited(running: "subprocess.Popen[str]", project: Project, name: str, progress: bool) -> tuple[str, str]:
    """Wait for the process and return its output and its errors; meanwhile one line is written over and over."""
    if not progress:
        return running.communicate()
    since, shown = time.time(), ""
    while True:
        try:
            found = running.communicate(timeout=_SECONDS_BETWEEN_LINES)
        except subprocess.TimeoutExpired:
            line = f"{name}: {run_place(project, name, since).words}"
            if line != shown:
                print(f"\r{line:<{len(shown)}}", end="", file=sys.stderr, flush=True)
                shown = line
            continue
        if shown:
            print(file=sys.stderr)
        return found


def _is_watched() -> bool:
    """Return whether a person sees the standard error at once: on a terminal, or below the cell of a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules
