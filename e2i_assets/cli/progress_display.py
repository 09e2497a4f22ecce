"""The progress display of `e2i run`: a bar per experiment, with the best value so far and the time left."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from e2i_assets.cli.console import out
from e2i_assets.services.project import Project
from e2i_assets.services.run_progress import CHAIN, run_place

# Without a terminal, so that a CI server does not assume that the run hangs.
_SECONDS_BETWEEN_LINES = 60.0
_WORDS = {"done": "[green]done[/]", "up_to_date": "[green]up to date[/]", "failed": "[bold red]failed[/]"}


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
            place = run_place(self._project, name, since)
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


class _Words(ProgressColumn):
    """The description column: it may have markup and is truncated at the edge of the terminal."""

    def render(self, task: Any) -> Text:
        return Text.from_markup(task.description, overflow="ellipsis")
