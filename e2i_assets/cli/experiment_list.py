"""The table of `e2i experiment list`: the experiment files with their state in the database."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from rich import box
from rich.table import Table

from e2i_assets.adapters.files.experiment_files import ExperimentFolder, read_folder, strict
from e2i_assets.adapters.repositories.experiments import ExperimentRow
from e2i_assets.adapters.repositories.results import last_finished
from e2i_assets.adapters.settings import Settings
from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.services.project import Project

_COLUMNS = ("experiment\n  state", "algorithm\n  problem type", "metric\n  trials", "source")
_WIDTHS = (27, 20, 12, 15)


def experiment_documents(settings: Settings, project: Project | None) -> list[dict[str, Any]]:
    """Return the contents of `experiment_table` as documents for ``--json``."""
    folder, rows, finished = _read(settings, project)
    good = [
        {
            "name": name,
            "state": _word(experiment, rows.get(name)),
            "algorithm": experiment.algorithm,
            "problem_type": experiment.problem_type,
            "metric": experiment.metric,
            "trials": experiment.hpo.trials if experiment.hpo.enabled else 0,
            "source": experiment.source.kind,
            "trained_at": finished.get(name),
        }
        for name, experiment in folder.experiments.items()
    ]
    bad = [{"name": path.stem, "state": "not valid", "error": str(why)} for path, why in folder.invalid.items()]
    gone = [{"name": name, "state": "file gone", "trained_at": finished.get(name)} for name in _gone(folder, rows)]
    return [*good, *bad, *gone]


def experiment_table(settings: Settings, project: Project | None) -> Table:
    """Return the table. Without a project, no experiment has been registered."""
    folder, rows, finished = _read(settings, project)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column, width in zip(_COLUMNS, _WIDTHS, strict=True):
        table.add_column(column, overflow="fold", min_width=width)
    for name, experiment in folder.experiments.items():
        table.add_row(*_cells(experiment, _state(experiment, rows.get(name), finished)))
    for path, mistakes in folder.invalid.items():
        count = len(mistakes.violations)
        table.add_row(_two(path.stem, f"[red]not valid: {count} mistake{'s' if count > 1 else ''}[/]"))
    for name in _gone(folder, rows):
        table.add_row(_two(name, f"[yellow]file deleted[/]{_trained(name, finished)}"))
    return table


def _read(
    settings: Settings, project: Project | None
) -> tuple[ExperimentFolder, dict[str, ExperimentRow], dict[str, datetime]]:
    folder = strict(read_folder(settings.experiments))
    rows = {row.experiment_name: row for row in project.experiments.list()} if project else {}
    return folder, rows, last_finished(project.database) if project else {}


def _gone(folder: ExperimentFolder, rows: Mapping[str, ExperimentRow]) -> list[str]:
    return sorted(rows.keys() - folder.experiments.keys() - {path.stem for path in folder.invalid})


def _cells(experiment: Experiment, state: str) -> tuple[str, ...]:
    hpo, source = experiment.hpo, experiment.source
    where = source.sql.url_env if source.sql else Path(source.place).name
    return (
        _two(experiment.name, state),
        _two(experiment.algorithm, experiment.problem_type.removesuffix("_classification")),
        _two(experiment.metric, f"{hpo.trials} trials" if hpo.enabled else "no search"),
        _two(source.kind, where),
    )


def _two(first: str, second: str) -> str:
    return f"[bold]{first}[/]\n  {second}"


def _state(experiment: Experiment, row: ExperimentRow | None, finished: Mapping[str, datetime]) -> str:
    word = _word(experiment, row)
    if word == "new":
        return "new: not registered"
    return f"{'[yellow]changed[/]' if word == 'changed' else word}{_trained(experiment.name, finished)}"


def _word(experiment: Experiment, row: ExperimentRow | None) -> Literal["new", "changed", "registered"]:
    if row is None:
        return "new"
    return "changed" if row.spec_hash != content_hash(experiment.model_dump(mode="json")) else "registered"


def _trained(name: str, finished: Mapping[str, datetime]) -> str:
    if name not in finished:
        return ", not trained"
    return f",\n  trained {finished[name].astimezone():%Y-%m-%d %H:%M}"
