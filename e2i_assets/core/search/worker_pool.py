"""Those who run the trials of a study elsewhere: what a search that only leads asks of them."""

from typing import Protocol


class WorkerPool(Protocol):
    """Processes, on this machine or on others, that each search the same study beside each other."""

    @property
    def size(self) -> int:
        """Trials that they run at a time."""

    def dispatch(self) -> None:
        """Give work to those who have none: new ones, and those whose work broke off or ended too early.

        It is called again and again while the study goes on, and never when it has ended.

        Raises:
            E2iError: There is nobody who could work, and why.
        """

    @property
    def is_at_work(self) -> bool:
        """Whether one of them has not come to an end yet."""
