"""What `e2i run` shows while it works: for each experiment the asset being made, and the study's progress."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa
from rich.live import Live
from rich.table import Table

from e2i_assets.adapters.workspace import Workspace
from e2i_assets.commands.console import out

CHAIN = (
    *("dataset", "validation_splits", "warm_start", "hpo_study"),
    *("best_hyperparameters", "trained_model", "champion_model", "hpo_pattern_memory"),
)
_LINE_EVERY_SECONDS = 10.0
_WORDS = {"done": "[green]done[/]", "kept": "[green]kept[/]", "failed": "[bold red]failed[/]"}

_PROGRESS = sa.text(
    "SELECT study.n_trials, study.metric, study.started_at, "
    "count(trial.id) FILTER (WHERE trial.state IN ('COMPLETE', 'PRUNED', 'FAIL')) AS finished, "
    "count(trial.id) FILTER (WHERE trial.datetime_complete >= :since) AS finished_now, "
    "max(trial.value) AS best, min(trial.datetime_start) FILTER (WHERE trial.datetime_complete >= :since) AS began "
    "FROM ml_hpo_studies AS study JOIN ml_experiments AS experiment ON experiment.id = study.experiment_id "
    "LEFT JOIN ml_hpo_trials AS trial ON trial.study_id = study.id "
    "WHERE experiment.experiment_name = :name AND study.status = 'running' "
    "GROUP BY study.id ORDER BY study.updated_at DESC LIMIT 1"
)


class Board:
    """A live table on a terminal; a line now and then where there is none."""

    def __init__(self, project: Workspace, names: Sequence[str]) -> None:
        self._project = project
        self._lines: dict[str, str] = dict.fromkeys(names, "[dim]waiting[/]")
        self._live = Live(self._table(), console=out, refresh_per_second=4) if out.is_terminal else None
        self._last_line = 0.0

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def show(self, running: Mapping[str, float]) -> None:
        """Bring the running experiments up to date.

        Args:
            running: Name to the moment it was started, in seconds since the epoch.
        """
        for name, since in running.items():
            self._lines[name] = self._progress(name, since)
        if self._live:
            self._live.update(self._table())
        elif time.monotonic() - self._last_line > _LINE_EVERY_SECONDS:
            self._last_line = time.monotonic()
            for name in running:
                out.print(f"{name}: {self._lines[name]}", highlight=False)

    def ended(self, name: str, outcome: Mapping[str, Any]) -> None:
        """Show how an experiment ended."""
        self._lines[name] = _WORDS[outcome["status"]]
        if self._live:
            self._live.update(self._table())
        else:
            out.print(f"{name}: {self._lines[name]}", highlight=False)

    def _progress(self, name: str, since: float) -> str:
        asset = self._asset(name, since)
        place = f"{asset} ({CHAIN.index(asset) + 1} of {len(CHAIN)})"
        if asset != "hpo_study":
            return place
        with self._project.database.connect() as connection:
            moment = datetime.fromtimestamp(since, UTC)
            study = connection.execute(_PROGRESS, {"name": name, "since": moment}).one_or_none()
        return place if study is None else f"{place}: {_study_line(study)}"

    def _asset(self, name: str, since: float) -> str:
        """Return the asset being made: the first of the chain that was not written since the run began."""
        for asset in CHAIN:
            folder = self._project.asset_folder(asset, name)
            if not folder.exists() or folder.stat().st_mtime < since:
                return asset
        return CHAIN[-1]

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 2), show_header=False)
        for name, line in self._lines.items():
            table.add_row(f"[bold]{name}[/]", line)
        return table


def _study_line(study: Any) -> str:
    best = "" if study.best is None else f", best {study.metric} so far {abs(study.best):.5g}"
    left = ""
    if study.finished_now and study.began is not None:
        seconds = (datetime.now(UTC) - study.began).total_seconds() / study.finished_now
        left = f", about {max(study.n_trials - study.finished, 0) * seconds:.0f} s left"
    return f"trial {min(study.finished + 1, study.n_trials)} of {study.n_trials}{best}{left}"
