"""The progress display of `e2i run`: a bar per experiment, with the best value so far and the time left."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from e2i_assets.adapters.repositories.results import StudyProgress, progress_of, searched_now
from e2i_assets.cli.console import out
from e2i_assets.core.metrics import metric
from e2i_assets.services.project import Project

CHAIN = (
    *("dataset", "validation_splits", "warm_start", "hpo_study"),
    *("best_hyperparameters", "trained_model", "champion_model", "hpo_pattern_memory"),
)
# Without a terminal, so that a CI server does not assume that the run hangs.
_SECONDS_BETWEEN_LINES = 60.0
_WORDS = {"done": "[green]done[/]", "up_to_date": "[green]up to date[/]", "failed": "[bold red]failed[/]"}


@dataclass(frozen=True, slots=True)
class Place:
    """Progress of an experiment: finished assets, including the fraction of the current one, and its description."""

    done: float
    words: str


class ProgressDisplay:
    """A progress bar per experiment on a terminal; without a terminal, a line per minute."""

    def __init__(self, project: Project, names: Sequence[str], console: Console = out) -> None:
        self._project = project
        self._console = console
        self._bars = Progress(
            TextColumn("[bold]{task.fields[experiment]}"),
            BarColumn(bar_width=20),
            _Words(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal or console.quiet,
            refresh_per_second=4,
        )
        self._tasks: dict[str, TaskID] = {
            name: self._bars.add_task("waiting", total=len(CHAIN), start=False, experiment=name) for name in names
        }
        self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bars.stop()

    def show(self, running: Mapping[str, float]) -> None:
        """Update the bars of the running experiments.

        Args:
            running: Start time of each experiment, in seconds since the epoch.
        """
        is_due = self._bars.disable and time.monotonic() - self._last_line > _SECONDS_BETWEEN_LINES
        if self._bars.disable and not is_due:
            return
        for name, since in running.items():
            place = self._place(name, since)
            self._bars.start_task(self._tasks[name])
            self._bars.update(self._tasks[name], completed=place.done, description=place.words)
            if is_due:
                self._last_line = time.monotonic()
                self._console.print(f"{name}: {place.words}", highlight=False)

    def ended(self, name: str, outcome: Mapping[str, Any]) -> None:
        """Show the outcome of an experiment."""
        word = _WORDS[outcome["status"]]
        if self._bars.disable:
            self._console.print(f"{name}: {word}", highlight=False)
            return
        task = self._tasks[name]
        whole = len(CHAIN) if outcome["status"] != "failed" else None
        self._bars.update(task, description=word, completed=whole)
        self._bars.stop_task(task)

    def _place(self, name: str, since: float) -> Place:
        asset = self._asset(name, since)
        number = CHAIN.index(asset)
        words = f"{asset} ({number + 1} of {len(CHAIN)})"
        if asset != "hpo_study":
            return Place(number, words)
        study = progress_of(self._project.database, name, since)
        if study is None:
            others = [one for one in searched_now(self._project.database) if one != name]
            return Place(number, f"{words}: waits for {', '.join(others)}" if others else words)
        return Place(number + study.share, f"{words}: {study_words(study)}")

    def _asset(self, name: str, since: float) -> str:
        """Return the current asset: the first in the chain that was not written since the run began."""
        for asset in CHAIN:
            if self._project.store.written_at(self._project.settings.value_key(asset, name)) < since:
                return asset
        return CHAIN[-1]


def study_words(study: StudyProgress) -> str:
    """Return the progress of a running study as text, with the best value in the natural orientation of its metric."""
    trial = f"trial {min(study.finished + 1, study.n_trials)} of {study.n_trials}"
    natural = metric(study.metric, study.problem_type).oriented
    best = "" if study.best is None else f", best {study.metric} {natural(study.best):.5g}"
    left = "" if study.seconds_left is None else f", about {_duration(study.seconds_left)} left"
    return f"{trial}{best}{left}"


class _Words(ProgressColumn):
    """The description column: it may have markup and is truncated at the edge of the terminal."""

    def render(self, task: Any) -> Text:
        return Text.from_markup(task.description, overflow="ellipsis")


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
