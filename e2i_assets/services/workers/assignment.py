"""What a process is told that searches a study for another one: values in JSON, and the rows as files."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from e2i_assets.adapters.files.asset_values import VALUE
from e2i_assets.adapters.files.parquet_rows import StoredRows
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.data.splits import SEARCHED
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.memory.warm_start import WarmStart
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study_plan import StudyPlan

# File name to content.
Files = dict[str, bytes]


class Assignment(BaseModel):
    """A study to search beside others, until it ends or whoever leads it is gone.

    Attributes:
        experiment: The experiment, as it is registered.
        identity: Identity of the study.
        study_id: Its id in our tables, by which it is told that the database is the same.
        warm_start: What it may try first.
        leader: Name of the lock of the process that leads.
        lease_seconds: See `Settings`.
        versions: What the leader runs with; whoever has others must not judge a trial.
        rows: Digest of the rows' files: whoever has others must not either.
        timeout_seconds: What is left of the study's time, None for no limit.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    experiment: dict[str, Any]
    identity: str
    study_id: str
    warm_start: WarmStart
    coordinator: str
    lease_seconds: float
    versions: dict[str, str]
    rows: str
    timeout_seconds: float | None = None

    def plan(self, experiment: Experiment, threads: int) -> StudyPlan:
        """Return how the study is searched, with so many trials at a time in this process."""
        planned = replace(tuning.plan(experiment, self.identity, threads), workers=threads)
        planned = replace(planned, timeout_seconds=self.timeout_seconds)
        return planned if not self.warm_start.tries else replace(planned, startup_trials=self.warm_start.tries)


def packed(rows: SearchRows) -> Files:
    """Return train and validation rows as the files that `asset_files.read` reads, and no others.

    Raises:
        E2iError: They stand in memory alone.
    """
    files = {VALUE: rows.facts.model_dump_json().encode()}
    for role, part in zip(SEARCHED, (rows.train, rows.validation), strict=True):
        if not isinstance(part, StoredRows):
            raise E2iError("rows that are not stored cannot be sent to other processes: materialise validation_splits")
        files[f"{role}.parquet"] = part.content()
    return files


def digest(files: Files) -> str:
    """Return the identity of files: their names and what is in them."""
    found = hashlib.sha256()
    for name, content in sorted(files.items()):
        found.update(f"{name}\0{len(content)}\0".encode())
        found.update(content)
    return found.hexdigest()


def unpacked(files: Files, folder: Path) -> Path:
    """Write the files into an empty folder and return it."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder
