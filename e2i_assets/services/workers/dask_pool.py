"""A crew of Dask workers: each searches the study with as many threads as it has, on rows that travelled to it once.

Dask starts, watches and restarts the workers; what is done is decided by the claims in the database, as everywhere.
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
from e2i_assets.services.workers.work import WrongPlace, work_with

if TYPE_CHECKING:
    from distributed import Client, Future

_ANSWER_SECONDS = 10.0
# Workers may come and go; so long a study without a single one waits for them.
_WAIT_SECONDS = 120.0
_STARTS = 3
_log = logging.getLogger(__name__)


class ClusterUnreachable(E2iError):
    """A Dask cluster that cannot be used, and what to do about it."""


@dataclass(slots=True)
class _Place:
    """What a worker was asked, and how often."""

    threads: int
    future: "Future[str]"
    starts: int = 1
    error: BaseException | None = None
    started_at: float = field(default_factory=time.monotonic)

    @property
    def is_at_work(self) -> bool:
        return not self.future.done()

    @property
    def came_to_an_end(self) -> bool:
        """Whether it ended in good order, and not only just after it was asked; also where Dask forgot of it."""
        return self.future.done() and self.error is None and time.monotonic() - self.started_at > PAUSE_SECONDS

    @property
    def may_start_again(self) -> bool:
        return self.starts < _STARTS and not isinstance(self.error, VersionsDiffer | WrongPlace | ImportError)


class DaskPool:
    """The workers of a Dask cluster that search a study, for as long as it is entered.

    Args:
        assignment: Returns what each is told, with the time that is left.
        files: The rows.
        address: Of the scheduler.
        trials_at_a_time: Over all workers; None for all threads of the cluster.
        say: Takes a line for a person.
    """

    def __init__(
        self,
        assignment: Callable[[], Assignment],
        files: Files,
        address: str,
        trials_at_a_time: int | None,
        say: Callable[[str], object],
    ) -> None:
        self._assignment = assignment
        self._files = files
        self._address = address
        self._asked = trials_at_a_time
        self._say = say
        self._client: Client | None = None
        self._rows: Any = None
        self._places: dict[str, _Place] = {}
        self._seen_at = time.monotonic()

    def __enter__(self) -> Self:
        self._client = connected(self._address)
        try:
            # In a list, or Dask would know the files by their names, which every study's have. Like this it
            # knows them by their content.
            (self._rows,) = self._client.scatter([self._files])
            if not self._workers():
                self._client.wait_for_workers(1, timeout=_ANSWER_SECONDS)
        except TimeoutError as error:
            self._client.close()
            raise NoWorkers(
                f"the Dask cluster at {self._address} has no worker: start one with `dask worker {self._address}`"
            ) from error
        self._say(f"{len(self._workers())} Dask workers at {self._address}, {self.size} trials at a time")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            with suppress(OSError, TimeoutError):  # a cluster that is gone needs no farewell
                self._client.cancel([place.future for place in self._places.values()])
            self._client.close()

    @property
    def size(self) -> int:
        """Trials at a time; see `Crew`."""
        threads = sum(self._workers().values())
        return max(1, threads if self._asked is None else min(self._asked, threads))

    @property
    def is_at_work(self) -> bool:
        """Whether a worker that is still there has not come to an end; see `Crew`."""
        there = self._workers()
        return any(place.is_at_work for address, place in self._places.items() if address in there)

    def dispatch(self) -> None:
        """Ask workers who have come, and those whose work broke off; see `Crew`.

        Raises:
            ClusterUnreachable: The scheduler is gone.
            NoWorkers: There has been no worker for a while, or none that could work.
        """
        there = self._workers()
        for address in self._places.keys() - there.keys():
            self._say(f"the Dask worker {address} is gone: its trials are tried again by others")
            del self._places[address]
        for address, place in list(self._places.items()):
            self._look_after(address, place)
        free = (self._asked or sum(there.values())) - sum(p.threads for p in self._places.values() if p.is_at_work)
        for address, threads in there.items():
            if address not in self._places and free > 0:
                self._places[address] = _Place(min(threads, free), self._sent(address, min(threads, free)))
                free -= threads
        self._require_somebody(bool(there))

    def _look_after(self, address: str, place: _Place) -> None:
        if place.future.status == "error" and place.error is None:
            place.error = place.future.exception()
            again = "it is asked again" if place.may_start_again else "it is left out"
            reason = str(place.error) or type(place.error).__name__
            if isinstance(place.error, ImportError):
                reason = f"{reason}: install this project there, with the extra dask, or use one image for all"
            self._say(f"the Dask worker {address} could not work, {again}: {reason}")
            _log.warning("the Dask worker %s could not work, %s: %s", address, again, reason)
        if place.error is not None and place.may_start_again:
            self._ask_again(address, place, place.starts + 1)
        elif place.came_to_an_end:
            self._say(f"the Dask worker {address} has come to an end while the study goes on: it is asked again")
            self._ask_again(address, place, 1)

    def _ask_again(self, address: str, place: _Place, starts: int) -> None:
        place.future, place.error = self._sent(address, place.threads), None
        place.starts, place.started_at = starts, time.monotonic()

    def _require_somebody(self, are_there: bool) -> None:
        unfit = [place for place in self._places.values() if place.error is not None]
        if are_there and unfit and len(unfit) == len(self._places):
            why = unfit[0].error
            raise NoWorkers(f"no worker of the Dask cluster at {self._address} can work on the study: {why}") from why
        if are_there:
            self._seen_at = time.monotonic()
        elif time.monotonic() - self._seen_at > _WAIT_SECONDS:
            raise NoWorkers(
                f"the Dask cluster at {self._address} has had no worker for {_WAIT_SECONDS:.0f} seconds; "
                "what was finished is kept: start workers, and run it again"
            )

    def _sent(self, address: str, threads: int) -> "Future[str]":
        told = self._assignment().model_dump_json()
        return self._here.submit(work_with, told, self._rows, threads, workers=[address], pure=False)

    def _workers(self) -> dict[str, int]:
        """Return the address of each worker, the least busy first, and its threads."""
        try:
            known = self._here.scheduler_info(n_workers=-1)["workers"]
        except (OSError, TimeoutError) as error:
            raise ClusterUnreachable(
                f"the Dask scheduler at {self._address} does not answer any more; what was finished is kept: start it "
                "again, and run the study again"
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
        E2iError: distributed is not installed.
        ClusterUnreachable: Nothing answers there within ten seconds, or something else than a scheduler.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise E2iError(
            "hpo.engine: dask needs the package distributed, which is not installed: pip install 'e2i_assets[dask]'"
        ) from error
    try:
        return Client(address, timeout=_ANSWER_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ClusterUnreachable(
            f"no Dask scheduler answers at {address}: start one with `dask scheduler`, or correct E2I_DASK_ADDRESS "
            f"({reason})"
        ) from error
