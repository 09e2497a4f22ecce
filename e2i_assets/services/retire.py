"""Retires experiments: whose file or component is gone, or that a user removes. What was made for them is kept."""

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from e2i_assets.adapters.files.experiment_files import files_in
from e2i_assets.adapters.repositories.experiments import ExperimentRow
from e2i_assets.core.errors import E2iError
from e2i_assets.core.suggestions import did_you_mean
from e2i_assets.services.project import Project
from e2i_assets.services.run_lock import run_by_command

FILE_IS_GONE = "its file is gone"
COMPONENT_IS_GONE = "its component is gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removable:
    """What `remove` would do.

    Attributes:
        name: The experiment.
        file: Its file, if it has one.
        row: Its registration, if it has one.
        champion: The start of the key of the model in use; None when no model is.
    """

    name: str
    file: Path | None
    row: ExperimentRow | None
    champion: str | None

    @property
    def is_retired(self) -> bool:
        """Return whether nothing is left to do."""
        return self.file is None and self.row is not None and not self.row.is_active


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """A removed experiment.

    Attributes:
        experiment: Its name.
        retired_at: When it was retired; None if it was never registered.
        file: Where its file is now; None if it had none.
        champion: The start of the key of the model that was in use.
        aliases: What happened to the alias ``champion`` in MLflow: ``moved`` or the reason why not; None without one.
    """

    experiment: str
    retired_at: datetime | None
    file: Path | None
    champion: str | None
    aliases: str | None


def removable(project: Project, name: str, also_busy: Collection[str] = ()) -> Removable:
    """Return what `remove` would do with an experiment.

    Args:
        project: The project.
        name: The experiment.
        also_busy: Experiments with a run in Dagster.

    Raises:
        E2iError: There is no such experiment, or a run of it is in progress.
    """
    folder = project.settings.experiments
    files = {path.stem: path for path in files_in(folder)} if folder.is_dir() else {}
    rows = {row.experiment_name: row for row in project.experiments.list(retired_too=True)}
    if name not in files and name not in rows:
        known = sorted({*files, *rows})
        raise E2iError(
            f"there is no experiment {name!r}{did_you_mean(name, known) or '.'} `e2i experiment list` lists them"
        )
    if name in also_busy or run_by_command(project, [name]):
        raise E2iError(f"a run of {name} is in progress: cancel it, or wait for its end")
    row = rows.get(name)
    current = project.champions.current(row.id) if row is not None and row.is_active else None
    return Removable(
        name=name, file=files.get(name), row=row, champion=current.challenger_key[:12] if current else None
    )


def remove(project: Project, found: Removable) -> Removed:
    """Retire an experiment, and move its file to the folder ``removed`` of the state, from where it can come back."""
    place = None
    if found.file is not None:
        place = project.settings.state / "removed" / f"{found.name}-{datetime.now(UTC):%Y%m%dT%H%M%S}.yaml"
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.move(found.file, place)
    aliases = retire(project, found.name) if found.row is not None and found.row.is_active else None
    row = project.experiments.get(found.name)
    return Removed(
        experiment=found.name,
        retired_at=row.retired_at if row else None,
        file=place,
        champion=found.champion,
        aliases=aliases,
    )


def retire(project: Project, name: str) -> str | None:
    """Retire a registered experiment and its champion; return the result for the alias in MLflow, None without one."""
    with project.database.advisory_lock(f"champion of {name}"):
        version = _champion_version(project, name)
        project.experiments.retire(name)
        return None if version is None else project.tracker().set_champion(f"e2i_{name}", None)


def restore_aliases(project: Project, names: Collection[str]) -> None:
    """Set the champion alias in MLflow of experiments that came back. Best effort, like all of MLflow."""
    for name in names:
        if (version := _champion_version(project, name)) is not None:
            project.tracker().set_champion(f"e2i_{name}", version)


def _champion_version(project: Project, name: str) -> int | None:
    champion = project.champions.current(project.experiments.id_of(name))
    version = champion.mlflow_model_version if champion else None
    return int(version) if version and version.isdigit() else None


def gone(project: Project) -> Mapping[str, str]:
    """Return the active experiments whose file or component was deleted, with the reason.

    A component is gone if the folder above its own is on this machine, and does not contain it any more.
    """
    folder = project.settings.experiments
    if not folder.is_dir():
        return {}
    files = {path.stem for path in files_in(folder)}
    found = {}
    for row in project.experiments.list():
        if row.upstream is not None:
            if component_is_gone(row.upstream):
                found[row.experiment_name] = COMPONENT_IS_GONE
        elif row.from_file and row.experiment_name not in files:
            found[row.experiment_name] = FILE_IS_GONE
    return found


def component_is_gone(upstream: Mapping[str, object]) -> bool:
    """Return whether the file of a component was deleted; False if this machine cannot know."""
    given = upstream.get("component")
    if not given:
        return False
    path = Path(str(given))
    return not path.exists() and (path.parent.is_dir() or path.parent.parent.is_dir())
