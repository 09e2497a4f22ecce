"""Whether those who are led do anything: a leader must not wait for ever for a crew that comes to an end at once."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from e2i_assets.core.errors import NoWorkers
from e2i_assets.core.search.worker_pool import WorkerPool

if TYPE_CHECKING:
    import optuna

# Longer than a crew itself waits for workers, as that can say better what is missing.
_IDLE_SECONDS = 180.0


class StallDetector:
    """Looks, again and again, whether a study gets on.

    Args:
        crew: Those who run its trials.
        name: Of the study.
        clock: Seconds, monotonic.
    """

    def __init__(self, worker_pool: WorkerPool, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._crew = worker_pool
        self._name = name
        self._clock = clock
        self._begun = -1
        self._since = clock()

    def require(self, study: "optuna.Study") -> None:
        """Do nothing while trials run or begin, or somebody who may still begin one is at work.

        Raises:
            NoWorkers: Nothing of it has been so for a while.
        """
        states = [trial.state.name for trial in study.get_trials(deepcopy=False)]
        begun, now = sum(state != "WAITING" for state in states), self._clock()
        if "RUNNING" in states or begun != self._begun:
            self._begun, self._since = begun, now
        elif now - self._since > _IDLE_SECONDS and not self._crew.is_at_work:
            raise NoWorkers(
                f"nobody has worked on {self._name} for {_IDLE_SECONDS:.0f} seconds: whoever is asked comes to an end "
                "before a trial. What was finished is kept: see why in the logs of the workers, and run it again"
            )
