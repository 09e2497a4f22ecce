"""How a study is searched, and how it is shared with other processes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from e2i_assets.core.search.samplers import STARTUP_TRIALS
from e2i_assets.core.search.worker_pool import WorkerPool

if TYPE_CHECKING:
    import optuna

# Optuna's attribute of a study with the names of its goals. A study maximises, so an error is stored negated, and its
# name says so: -rmse.
METRIC_NAMES = "study:metric_names"
NEGATED = "-"


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """How to search.

    Attributes:
        name: Study name, unique in the storage; it contains the beginning of the study key.
        trials: Total number of trials to finish, over all processes and resumptions.
        timeout_seconds: Limit on the wall-clock time of this call; None for no limit.
        sampler, pruner: Names from `samplers`.
        seed: Seed of the sampler.
        workers: Number of trials at a time, as threads of this process: the fits release Python's lock and share the
            rows.
        stop_without_improvement: Number of trials without improvement that ends the study; None for no limit.
        max_failures: Number of consecutive failed trials that ends the study.
        tolerance: See `trial_selection.chosen`.
        startup_trials: Trials before the sampler learns from them; proposed trials count.
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
    """How a study is shared with other processes; by default this process is the only one.

    Attributes:
        recover: Queues the trials of dead processes again. By default every running trial that is found belongs to a
            dead process.
        joined: Number of calls that have searched this study before; it makes their samplers use different seeds.
        worker_pool: Workers that run all trials; this process then only prepares, monitors and ends the study.
        retire: Called when the study ends; afterwards the workers start no further trial.
        is_cancelled: Set in a worker: returns whether its coordinator is gone or has ended the study.
    """

    recover: Callable[["optuna.Study"], None] | None = None
    joined: int = 0
    worker_pool: WorkerPool | None = None
    retire: Callable[[], None] | None = None
    is_cancelled: Callable[[], bool] | None = None

    @property
    def is_distributed(self) -> bool:
        """Whether this process is a coordinator or a worker: the trials of all processes then decide the end."""
        return self.worker_pool is not None or self.is_cancelled is not None


ALONE = Coordination()
