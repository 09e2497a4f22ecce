"""How a study is searched, and how it is shared with other processes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from e2i_assets.core.search.samplers import STARTUP_TRIALS
from e2i_assets.core.search.worker_pool import WorkerPool

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """How to search.

    Attributes:
        name: Study name, unique in the storage; it carries the identity of what is searched.
        trials: Trials to finish in all, over all processes and resumptions.
        timeout_seconds: Wall clock of this call, None for no limit.
        sampler, pruner: Names from `samplers`.
        seed: Seed of the sampler.
        workers: Trials at a time, as threads of this process: their fits release Python's lock and share the rows.
        stop_without_improvement: Trials without a better one after which the study ends, None for never.
        max_failures: Trials failing one after the other that break the study off.
        tolerance: See `selection.chosen`.
        startup_trials: Trials before the sampler learns from them; those that were proposed count.
    """

    name: str
    trials: int
    timeout_seconds: float | None
    sampler: str
    pruner: str
    seed: int
    workers: int = 1
    stop_without_improvement: int | None = None
    max_failures: int = 10
    tolerance: float = 0.0
    startup_trials: int = STARTUP_TRIALS


@dataclass(frozen=True, slots=True)
class Coordination:
    """How a study in a storage that several processes reach is shared; the default is to be alone with it.

    Attributes:
        recover: Queues the trials of dead processes again; alone, every trial that is found running is one.
        joined: How many calls have searched this study before this one, so that no two draw the same points.
        crew: Others that run the trials in its stead: it prepares, follows and ends the study, and runs none itself.
        retire: Has those whom it leads begin no trial any more: called when something ends the study.
        is_cancelled: Whether nobody wants it to go on: asked by those who work on a study for somebody else.
    """

    recover: Callable[["optuna.Study"], None] | None = None
    joined: int = 0
    worker_pool: WorkerPool | None = None
    retire: Callable[[], None] | None = None
    is_cancelled: Callable[[], bool] | None = None

    @property
    def is_distributed(self) -> bool:
        """Whether it leads others or is led: what they all do together decides when the study ends."""
        return self.worker_pool is not None or self.is_cancelled is not None


ALONE = Coordination()
