"""Where predictions go: a file, or a table of a database. Both are written completely or not at all."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pandas as pd

from e2i_assets.adapters.files.table_writer import table_writer
from e2i_assets.adapters.prediction_table import TableOfPredictions
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.services.project import Project


class PredictionTarget(Protocol):
    """The place of predictions."""

    @property
    def shown(self) -> str:
        """The place for people."""

    def writing(self) -> AbstractContextManager[Callable[[pd.DataFrame], None]]:
        """Yield a function that takes pieces, which are in place after the block."""

    def content(self, predicted_at: datetime) -> str | None:
        """Return what identifies the content that one scoring has written; None without any."""


@dataclass(frozen=True, slots=True)
class FileOfPredictions:
    """A CSV or Parquet file, which is replaced in one step."""

    file: Path

    @property
    def shown(self) -> str:
        """The path."""
        return str(self.file)

    def writing(self) -> AbstractContextManager[Callable[[pd.DataFrame], None]]:
        """Yield a function that appends a piece."""
        return table_writer(self.file)

    def content(self, predicted_at: datetime) -> str | None:
        """Return the SHA-256 of the file."""
        if not self.file.is_file():
            return None
        with self.file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()


def target_of(project: Project, experiment: Experiment) -> PredictionTarget:
    """Return where the predictions of an experiment go, which has a section `predict`.

    Raises:
        E2iError: The path is a link out of the project folder.
    """
    assert experiment.predict is not None
    if experiment.predict.table is not None:
        settings, keys = project.settings, experiment.columns.id
        return TableOfPredictions(experiment.predict.table, tuple(keys), settings.environment)
    root, to = project.settings.root, str(experiment.predict.to)
    file = (root / to).resolve()
    if not file.is_relative_to(root.resolve()):
        raise E2iError(f"predict.to: {to} is a link out of the project folder: write to another file")
    return FileOfPredictions(file)
