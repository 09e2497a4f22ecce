"""Outbox: trainings that are not logged in MLflow yet, as folders that a later call sends.

One folder per experiment and study contains `run.json` and the files of the run. The model stays where it is stored.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from e2i_assets.adapters.files.json_files import json_of
from e2i_assets.adapters.mlflow.tracked_run import TrackedRun, param_text
from e2i_assets.adapters.stores.store import Store
from e2i_assets.core.errors import E2iError

_RUN, _FILES = "run.json", "files"
_OUTBOX = "mlflow-outbox"


@dataclass(frozen=True, slots=True)
class Pending:
    """A training that is not logged yet: its experiment and spec hash, since when, and why."""

    experiment: str
    identity: str
    run: TrackedRun
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Outbox:
    """The trainings that wait in a store."""

    store: Store

    def put(self, experiment: str, identity: str, run: TrackedRun, reason: str) -> None:
        """Store a training atomically, in place of a stored one of the same study."""
        with self.store.replacing(_key(experiment, identity)) as fresh:
            _write_files(fresh / _FILES, run.figures)
            (fresh / _RUN).write_text(json.dumps(_document(run, reason), indent=2), encoding="utf-8")

    def add_files(self, experiment: str, identity: str, files: Mapping[str, bytes]) -> bool:
        """Add files to a waiting training; return False if none of this study waits."""
        waiting = self.get(experiment, identity)
        if waiting is None:
            return False
        run = replace(waiting.run, figures={**waiting.run.figures, **files})
        self.put(experiment, identity, run, waiting.reason)
        return True

    def drop(self, experiment: str, identity: str) -> None:
        """Delete a waiting training, after it is logged or before it is replaced."""
        self.store.delete(_key(experiment, identity))

    def get(self, experiment: str, identity: str) -> Pending | None:
        """Return the waiting training of a study, or None."""
        place = self.store.folder(_key(experiment, identity))
        return _read(place) if place.is_dir() else None

    def pending(self, experiment: str | None = None) -> Iterator[Pending]:
        """Yield the waiting trainings of every experiment, or of one, oldest first."""
        waiting = self.store.keys(_key(experiment or "*", "*"))
        yield from sorted((_read(self.store.folder(key)) for key in waiting), key=lambda one: one.since)


def _key(experiment: str, identity: str) -> str:
    return f"{_OUTBOX}/{experiment}/{identity[:12]}"


def _document(run: TrackedRun, reason: str) -> dict[str, Any]:
    # Parameters are stored as the text that MLflow will show, which does not change when it is read back.
    plain = replace(run, figures={}, params={name: param_text(value) for name, value in run.params.items()})
    written = TypeAdapter(TrackedRun).dump_python(plain, mode="json")
    return {"since": datetime.now(UTC).isoformat(), "reason": reason, "run": written}


def _write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _read(place: Path) -> Pending:
    try:
        found = json_of(place / _RUN)
        run = TypeAdapter(TrackedRun).validate_python(found["run"])
        files = {
            path.relative_to(place / _FILES).as_posix(): path.read_bytes()
            for path in sorted((place / _FILES).rglob("*"))
            if path.is_file()
        }
        identity, since = run.tags["e2i.spec_hash"], datetime.fromisoformat(found["since"])
        return Pending(place.parent.name, identity, replace(run, figures=files), since, str(found["reason"]))
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise E2iError(
            f"{place} cannot be read, so this training cannot be logged in MLflow: remove the folder and run "
            f"`e2i run {place.parent.name}`, which logs it again ({' '.join(str(error).split())[:200]})"
        ) from error
