"""A worker pool on a Dask cluster. Each worker gets the rows once and searches with all its threads.

Dask starts, monitors and restarts the workers. Which worker runs which trial is decided by claims in the database.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from e2i_assets.core.errors import E2iError, NoWorkers
from e2i_assets.services.workers.assignment import Assignment, Files
from e2i_assets.services.workers.process_pool import PAUSE_SECONDS
from e2i_assets.services.workers.versions import VersionsDiffer
from e2i_assets.services.workers.work import UnsuitableWorker, work_with

if TYPE_CHECKING:
    from distributed import Client, Future

_ANSWER_SECONDS = 10.0
# Workers may come and go. A study waits this long without any worker.
_WAIT_SECONDS = 120.0
_STARTS = 3
_log = logging.getLogger(__name__)


class ClusterUnreachable(E2iError):
    """A Dask cluster cannot be used."""


@dataclass(slots=True)
class _Place:
    """The task of a worker, and how often it was started."""

    threads: int
    future: "Future[str]"
    starts: int = 1
    error: BaseException | None = None
    started_at: float = field(default_factory=time.monotonic)

    @property
    def is_at_work(self) -> bool:
        return not self.future.done()

    @property
    def has_finished(self) -> bool:
        """Return whether the task ended normally and not just after its start, also if Dask has forgotten the task."""
        return self.future.done() and self.error is None and time.monotonic() - self.started_at > PAUSE_SECONDS

    @property
    def may_restart(self) -> bool:
        return self.starts < _STARTS and not isinstance(self.error, VersionsDiffer | UnsuitableWorker | ImportError)


class DaskPool:
    """The workers of a Dask cluster that search a study while this context is entered.

    Args:
        assignment: Returns the assignment with the remaining time.
        files: The rows.
        address: Address of the scheduler.
        trials_at_a_time: Limit over all workers; None for all threads of the cluster.
        notify: Called with each message for the user.
    """

    def __init__(
        self,
        assignment: Callable[[], Assignment],
        files: Files,
        address: str,
        trials_at_a_time: int | None,
        notify: Callable[[str], object],
    ) -> None:
        self._assignment = assignment
        self._files = files
        self._address = address
        self._limit = trials_at_a_time
        self._notify = notify
        self._client: Client | None = None
        self._rows: Any = None
        self._places: dict[str, _Place] = {}
        self._seen_at = time.monotonic()

    def __enter__(self) -> Self:
        self._client = connected(self._address)
        try:
            # In a list, because Dask identifies a dict by its file names, which are the same for every study. A list is
            # identified by its content.
            (self._rows,) = self._client.scatter([self._files])
            if not self._workers():
                self._client.wait_for_workers(1, timeout=_ANSWER_SECONDS)
        except TimeoutError as error:
            self._client.close()
            raise NoWorkers(
                f"the Dask cluster at {self._address} has no worker: start one with `dask worker {self._address}`"
            ) from error
        self._notify(f"{len(self._workers())} Dask workers at {self._address}, {self.size} trials at a time")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            with suppress(OSError, TimeoutError):  # the cluster may be gone already
                self._client.cancel([place.future for place in self._places.values()])
            self._client.close()

    @property
    def size(self) -> int:
        """Return the number of concurrent trials; see `WorkerPool`."""
        threads = sum(self._workers().values())
        return max(1, threads if self._limit is None else min(self._limit, threads))

    @property
    def is_at_work(self) -> bool:
        """Return whether a live worker has not finished; see `WorkerPool`."""
        there = self._workers()
        return any(place.is_at_work for address, place in self._places.items() if address in there)

    def dispatch(self) -> None:
        """Start tasks on new workers and on those whose task was interrupted; see `WorkerPool`.

        Raises:
            ClusterUnreachable: The scheduler is gone.
            NoWorkers: For a while there has been no worker, or none that could work.
        """
        there = self._workers()
        for address in self._places.keys() - there.keys():
            self._notify(f"the Dask worker {address} is gone: others retry its trials")
            del self._places[address]
        for address, place in list(self._places.items()):
            self._monitor(address, place)
        free = (self._limit or sum(there.values())) - sum(p.threads for p in self._places.values() if p.is_at_work)
        for address, threads in there.items():
            if address not in self._places and free > 0:
                self._places[address] = _Place(min(threads, free), self._sent(address, min(threads, free)))
                free -= threads
        self._require_workers(bool(there))

    def _monitor(self, address: str, place: _Place) -> None:
        if place.future.status == "error" and place.error is None:
            place.error = place.future.exception()
            again = "it is started again" if place.may_restart else "it is excluded"
            reason = str(place.error) or type(place.error).__name__
            if isinstance(place.error, ImportError):
                reason = f"{reason}: install e2i_assets[dask] there, or use the same image everywhere"
            self._notify(f"the Dask worker {address} could not work, {again}: {reason}")
            _log.warning("the Dask worker %s could not work, %s: %s", address, again, reason)
        if place.error is not None and place.may_restart:
            self._restart(address, place, place.starts + 1)
        elif place.has_finished:
            self._notify(f"the Dask worker {address} has ended before the study: it is started again")
            self._restart(address, place, 1)

    def _restart(self, address: str, place: _Place, starts: int) -> None:
        place.future, place.error = self._sent(address, place.threads), None
        place.starts, place.started_at = starts, time.monotonic()

    def _require_workers(self, are_there: bool) -> None:
        unfit = [place for place in self._places.values() if place.error is not None]
        if are_there and unfit and len(unfit) == len(self._places):
            why = unfit[0].error
            raise NoWorkers(f"no worker of the Dask cluster at {self._address} can work on the study: {why}") from why
        if are_there:
            self._seen_at = time.monotonic()
        elif time.monotonic() - self._seen_at > _WAIT_SECONDS:
            raise NoWorkers(
                f"the Dask cluster at {self._address} has had no worker for {_WAIT_SECONDS:.0f} seconds; "
                "finished work is saved: start workers and run it again"
            )

    def _sent(self, address: str, threads: int) -> "Future[str]":
        assignment = self._assignment().model_dump_json()
        return self._here.submit(work_with, assignment, self._rows, threads, workers=[address], pure=False)

    def _workers(self) -> dict[str, int]:
        """Return the address and threads of each worker, the least busy first."""
        try:
            known = self._here.scheduler_info(n_workers=-1)["workers"]
        except (OSError, TimeoutError) as error:
            raise ClusterUnreachable(
                f"the Dask scheduler at {self._address} does not answer; finished work is saved: start it "
                "again and rerun the study"
            ) from error
        busy = {address: worker["metrics"].get("executing", 0) for address, worker in known.items()}
        return {address: known[address]["nthreads"] for address in sorted(known, key=lambda one: (busy[one], one))}

    @property
    def _here(self) -> "Client":
        assert self._client is not None
        return self._client


def connected(address: str) -> "Client":
    """Connect to a scheduler.

    Raises:
        E2iError: The package distributed is not installed.
        ClusterUnreachable: No scheduler answers within ten seconds.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise E2iError(
            "hpo.engine: dask requires the package distributed, which is not installed: pip install 'e2i_assets[dask]'"
        ) from error
    try:
        return Client(address, timeout=_ANSWER_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ClusterUnreachable(
            f"no Dask scheduler answers at {address}: start one with `dask scheduler`, or correct E2I_DASK_ADDRESS "
            f"({reason})"
        ) from error
