"""Creates the worker pool for the engine of an experiment."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from e2i_assets.adapters.settings import DASK_ADDRESS
from e2i_assets.core.algorithms import registry
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.memory.warm_start import WarmStart
from e2i_assets.core.search import tuning
from e2i_assets.core.search.worker_pool import WorkerPool
from e2i_assets.services.project import Project
from e2i_assets.services.workers.assignment import Assignment, digest, packed
from e2i_assets.services.workers.versions import versions_of

if TYPE_CHECKING:
    from e2i_assets.adapters.optuna_storage.study_session import StudySession


@contextmanager
def worker_pool(
    project: Project,
    experiment: Experiment,
    rows: SearchRows,
    warm_start: WarmStart,
    coordinator: "StudySession",
    notify: Callable[[str], object],
) -> Iterator[WorkerPool | None]:
    """Return a context with the worker pool that runs the trials; None if they run as threads of this process.

    Raises:
        E2iError: The engine cannot be used.
    """
    hpo = experiment.hpo
    if hpo.engine == "threads":
        yield None
        return
    files = packed(rows)
    assigned = _assigned(project, experiment, rows, warm_start, coordinator, digest(files))
    if hpo.engine == "processes":
        from e2i_assets.services.workers.process_pool import ProcessPool

        size = hpo.workers or project.settings.cores
        environment = project.settings.child_environment(project.database.url)
        with ProcessPool(assigned, files, environment, size) as processes:
            yield processes
        return
    from e2i_assets.services.workers.dask_pool import DaskPool

    with DaskPool(assigned, files, dask_address(project), hpo.workers, notify) as workers:
        yield workers


def dask_address(project: Project) -> str:
    """Return the address of the Dask scheduler.

    It is not part of an experiment file, because its author could then send the rows anywhere.

    Raises:
        E2iError: No address is configured.
    """
    if project.settings.dask_address is None:
        raise E2iError(
            f"hpo.engine: dask requires a cluster: set {DASK_ADDRESS} to the address of its scheduler, such as "
            "tcp://HOST:8786, or use hpo.engine: processes on this machine"
        )
    return project.settings.dask_address


def _assigned(
    project: Project,
    experiment: Experiment,
    rows: SearchRows,
    warm_start: WarmStart,
    coordinator: "StudySession",
    rows_digest: str,
) -> Callable[[], Assignment]:
    identity = tuning.spec_hash(experiment, rows.facts)
    assignment = Assignment(
        experiment=experiment.model_dump(mode="json"),
        identity=identity,
        study_id=coordinator.study_id,
        warm_start=warm_start,
        coordinator=coordinator.name,
        lease_seconds=project.settings.lease_seconds,
        versions=versions_of(registry.algorithm(experiment.algorithm).framework),
        rows=rows_digest,
    )
    seconds = tuning.plan(experiment, identity).timeout_seconds
    began = time.monotonic()

    def now() -> Assignment:
        left = None if seconds is None else max(0.0, seconds - (time.monotonic() - began))
        return assignment.model_copy(update={"timeout_seconds": left})

    return now
