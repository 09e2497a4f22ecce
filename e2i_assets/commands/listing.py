"""The table of `e2i experiment list`: the files, beside what the database knows of them."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from rich import box
from rich.table import Table

from e2i_assets.adapters.experiment_files import read_folder
from e2i_assets.adapters.experiment_store import ExperimentRow, ExperimentStore
from e2i_assets.adapters.result_rows import last_finished
from e2i_assets.adapters.settings import Settings
from e2i_assets.adapters.workspace import Workspace
from e2i_assets.commands.registering import strict
from e2i_assets.core.experiment import Experiment
from e2i_assets.core.identity import content_hash

_COLUMNS = ("experiment", "algorithm", "problem type", "metric", "trials", "source", "state")


def experiment_table(settings: Settings, project: Workspace | None) -> Table:
    """Return the table; without a project nothing was ever registered."""
    folder = strict(read_folder(settings.experiments))
    rows = {row.experiment_name: row for row in ExperimentStore(project.database).list()} if project else {}
    finished = last_finished(project.database) if project else {}
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in _COLUMNS:
        table.add_column(column, overflow="fold", justify="right" if column == "trials" else "left")
    for name, experiment in folder.experiments.items():
        table.add_row(*_cells(experiment), _state(experiment, rows.get(name), finished))
    for path, mistakes in folder.invalid.items():
        count = len(mistakes.violations)
        state = f"[red]not valid, {count} mistake{'s' if count > 1 else ''}: e2i experiment validate {path.stem}[/]"
        table.add_row(path.stem, *[""] * 5, state)
    for name in rows.keys() - folder.experiments.keys() - {path.stem for path in folder.invalid}:
        table.add_row(name, *[""] * 5, _moment("[yellow]registered, its file is gone[/]", name, finished))
    return table


def _cells(experiment: Experiment) -> tuple[str, ...]:
    trials = str(experiment.hpo.trials) if experiment.hpo.enabled else "off"
    source = experiment.source
    where = source.sql.url_env if source.sql else Path(getattr(source, source.kind)).name
    return (
        *(f"[bold]{experiment.name}[/]", experiment.algorithm, experiment.problem_type.replace("_", " ")),
        *(experiment.metric, trials, f"{source.kind} {where}"),
    )


def _state(experiment: Experiment, row: ExperimentRow | None, finished: Mapping[str, datetime]) -> str:
    if row is None:
        return "[dim]new[/]"
    same = row.spec_hash == content_hash(experiment.model_dump(mode="json"))
    return _moment("registered" if same else "[yellow]changed since it was registered[/]", experiment.name, finished)


def _moment(state: str, name: str, finished: Mapping[str, datetime]) -> str:
    if name not in finished:
        return f"{state}, never trained"
    return f"{state}, trained {finished[name].astimezone():%Y-%m-%d %H:%M}"
