"""The assignment of a worker process: the study to search as JSON, and the rows as files."""

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
    """A study to search together with other workers, until it ends or its coordinator is gone.

    Attributes:
        experiment: The registered experiment.
        identity: Study key.
        study_id: Id of the study in ml_hpo_studies, which verifies that the worker has the same database.
        warm_start: The first configurations to try.
        leader: Name of the coordinator's lock.
        lease_seconds: See `Settings`.
        versions: Versions of the coordinator; a worker with other versions must not evaluate trials.
        rows: Digest of the files with the rows; the same applies to a worker with other rows.
        timeout_seconds: Remaining time of the study; None for no limit.
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
        """Return the search plan for this many concurrent trials in this process."""
        planned = replace(tuning.plan(experiment, self.identity, threads), workers=threads)
        planned = replace(planned, timeout_seconds=self.timeout_seconds)
        return planned if not self.warm_start.tries else replace(planned, startup_trials=self.warm_start.tries)


def packed(rows: SearchRows) -> Files:
    """Return the files of the train and validation rows, as `asset_files.read` reads them.

    Raises:
        E2iError: The rows exist in memory only.
    """
    files = {VALUE: rows.facts.model_dump_json().encode()}
    for split, part in zip(SEARCHED, (rows.train, rows.validation), strict=True):
        if not isinstance(part, StoredRows):
            raise E2iError("only stored rows can be sent to other processes: materialize validation_splits")
        files[f"{split}.parquet"] = part.content()
    return files


def digest(files: Files) -> str:
    """Return the digest of file names and contents."""
    found = hashlib.sha256()
    for name, content in sorted(files.items()):
        found.update(f"{name}\0{len(content)}\0".encode())
        found.update(content)
    return found.hexdigest()


def unpacked(files: Files, folder: Path) -> Path:
    """Write the files to an empty folder and return the folder."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder
