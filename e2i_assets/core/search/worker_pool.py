"""The interface of a pool of workers that run the trials of a study for its coordinator."""

from typing import Protocol


class WorkerPool(Protocol):
    """Processes on this machine or on others that search the same study in parallel."""

    @property
    def size(self) -> int:
        """Number of trials that the pool runs at a time."""

    def dispatch(self) -> None:
        """Give the study to idle workers: new workers, and workers whose last call failed or ended too early.

        The coordinator calls this repeatedly while the study runs, and never after its end.

        Raises:
            E2iError: No worker is available; the message contains the cause.
        """

    @property
    def is_at_work(self) -> bool:
        """Whether at least one worker is still running."""
