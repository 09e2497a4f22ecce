"""The samplers and pruners that an experiment may name. Each named option works; an unknown one is an error."""

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

from e2i_assets.core.algorithms.report_schedule import FIRST_REPORT_ROUND
from e2i_assets.core.errors import E2iError
from e2i_assets.core.search.distinct_points import nsga2
from e2i_assets.core.search_space.dimensions import CategoricalDimension, FloatDimension
from e2i_assets.core.search_space.space import SearchSpace

if TYPE_CHECKING:
    import optuna

Made = TypeVar("Made")

STARTUP_TRIALS = 10
PRUNER_STARTUP_TRIALS = 5
# A slow learner looks bad for longer than a fast one. Replayed curves of 24 random configurations (two boosters, four
# tables): from round 10 on the median grew 39 % of the rounds and ended the best one in half of all orders, from 30 on
# 47 % and 43 %, from 50 on 53 % and 30 %. A study that learns from its trials finds the way back.
WARMUP_ROUNDS = 30
# One fold says little about the rest, so nobody is cut by the first alone.
WARMUP_FOLDS = 2
# Optuna's own level. Below four pairs no exact test reaches it, and ties would make it reach for an approximation.
WILCOXON_LEVEL = 0.1
WILCOXON_PAIRS = 4
# What the percentile pruner keeps: it loses the best a third as often as the median, for a tenth more rounds.
KEPT_PERCENT = 75.0
REDUCTION = 3
GRID_POINTS = 5
GENERATIONS = 5

SAMPLERS = ("tpe", "random", "cmaes", "qmc", "grid", "nsga2", "gp")
PRUNERS = ("median", "percentile", "successive_halving", "hyperband", "wilcoxon", "patient", "none")


def require(name: str) -> None:
    """Do nothing when a sampler can be made here.

    Raises:
        E2iError: There is none of that name, or its package is not installed.
    """
    if name not in SAMPLERS:
        raise E2iError(f"unknown sampler {name!r}: choose one of {', '.join(SAMPLERS)}")
    if name == "gp" and find_spec("torch") is None:
        raise E2iError(
            "sampler 'gp' needs torch, which is not installed: install the extra gp (.venv/bin/uv pip install torch), "
            "or choose tpe"
        )


def sampler(
    name: str, seed: int, space: SearchSpace, budget: int = 100, startup: int = STARTUP_TRIALS
) -> "optuna.samplers.BaseSampler":
    """Make a sampler.

    Args:
        name: One of `SAMPLERS`.
        seed: With the same trials before it, the same seed draws the same configurations.
        space: What is drawn from.
        budget: Trials of the study: the generations of NSGA-II are a fifth of it, where Optuna's 50 would leave small
            studies with their random first one.
        startup: Trials before it learns from them, those that were queued included.

    Raises:
        E2iError: There is none of that name, or its package is not installed.
    """
    require(name)
    from optuna import samplers

    conditional = any(dimension.when for dimension in space.values())
    makers: dict[str, Callable[[], samplers.BaseSampler]] = {
        "tpe": lambda: samplers.TPESampler(seed=seed, n_startup_trials=startup, multivariate=True, group=conditional),
        "random": lambda: samplers.RandomSampler(seed=seed),
        "cmaes": lambda: samplers.CmaEsSampler(seed=seed, n_startup_trials=startup, warn_independent_sampling=False),
        "qmc": lambda: samplers.QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False),
        "grid": lambda: _grid_sampler(space, seed),
        "nsga2": lambda: nsga2(seed, _population(budget)),
        "gp": lambda: samplers.GPSampler(seed=seed, n_startup_trials=startup, warn_independent_sampling=False),
    }
    return _made(makers[name])


def startup_trials(name: str, budget: int, startup: int = STARTUP_TRIALS) -> int:
    """Return how many trials a sampler begins with before it learns from any; queued ones count, as Optuna counts."""
    if name == "nsga2":
        return _population(budget)
    return startup if name in ("tpe", "cmaes", "gp") else 0


def _population(budget: int) -> int:
    return min(50, max(10, budget // GENERATIONS))


def _grid_sampler(space: SearchSpace, seed: int) -> "optuna.samplers.BaseSampler":
    from optuna.samplers import GridSampler

    class Grid(GridSampler):
        """Optuna's, for a study that also tries what was queued: such a trial is no point of the grid."""

        def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
            if "grid_id" in trial.system_attrs:
                super().after_trial(study, trial, state, values)

        def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
            if "grid_id" in trial.system_attrs:
                return super().sample_independent(study, trial, param_name, param_distribution)
            # What was queued may leave parameters open: any value of theirs will do.
            values = self._search_space[param_name]
            return values[self._rng.rng.randint(len(values))]

    made = Grid(grid(space), seed=0)  # its seed numbers the points, and each call has to find them under their numbers
    made._rng.rng.seed(seed)
    return made


def is_exhausted(study: "optuna.Study") -> bool:
    """Return whether a grid has been searched through and nothing is queued; other samplers never come to an end."""
    from optuna.samplers import GridSampler
    from optuna.trial import TrialState

    if not isinstance(study.sampler, GridSampler) or not study.sampler.is_exhausted(study):
        return False
    return not study.get_trials(deepcopy=False, states=(TrialState.WAITING,))


def pruner(name: str, cap: int, on_folds: bool = False) -> "optuna.pruners.BasePruner":
    """Make a pruner whose steps are boosting rounds or trees on our ladder, or folds.

    Args:
        name: One of `PRUNERS`.
        cap: Most rounds, trees or folds that a trial can have.
        on_folds: Whether a step is a fold.

    Raises:
        E2iError: There is none of that name, or it compares folds and there are none.
    """
    from optuna import pruners

    if name == "wilcoxon" and not on_folds:
        raise E2iError("pruner 'wilcoxon' compares trials fold by fold: it needs hpo.objective: cross_validation")
    first, warmup = (1, WARMUP_FOLDS) if on_folds else (FIRST_REPORT_ROUND, WARMUP_ROUNDS)
    median: dict[str, Any] = {"n_startup_trials": PRUNER_STARTUP_TRIALS, "n_warmup_steps": warmup}
    makers: dict[str, Callable[[], pruners.BasePruner]] = {
        "median": lambda: pruners.MedianPruner(**median),
        "percentile": lambda: pruners.PercentilePruner(KEPT_PERCENT, **median),
        "successive_halving": lambda: pruners.SuccessiveHalvingPruner(min_resource=first, reduction_factor=REDUCTION),
        "hyperband": lambda: pruners.HyperbandPruner(
            min_resource=first, max_resource=max(cap, first), reduction_factor=REDUCTION
        ),
        "wilcoxon": lambda: pruners.WilcoxonPruner(p_threshold=WILCOXON_LEVEL, n_startup_steps=WILCOXON_PAIRS),
        "patient": lambda: pruners.PatientPruner(pruners.MedianPruner(**median), patience=2),
        "none": lambda: pruners.NopPruner(),
    }
    if name not in makers:
        raise E2iError(f"unknown pruner {name!r}: choose one of {', '.join(PRUNERS)}")
    return _made(makers[name])


def _made(maker: Callable[[], Made]) -> Made:
    """Make it without the warning that Optuna calls QMC, grouped TPE and patience experimental: our tests run each."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return maker()


def grid(space: SearchSpace) -> dict[str, list[Any]]:
    """Return up to `GRID_POINTS` values per parameter, evenly spread (in the logarithm where it is log).

    Raises:
        E2iError: A parameter depends on another, which a grid cannot say.
    """
    points: dict[str, list[Any]] = {}
    for name, dimension in space.items():
        if dimension.when:
            raise E2iError(f"a grid cannot search {name!r}, which depends on another parameter: use sampler tpe")
        if isinstance(dimension, CategoricalDimension):
            points[name] = list(dimension.choices)
            continue
        low, high = float(dimension.low), float(dimension.high)
        shares = [i / (GRID_POINTS - 1) for i in range(GRID_POINTS)]
        raw = [low * (high / low) ** s if dimension.log else low + s * (high - low) for s in shares]
        rounded = raw if isinstance(dimension, FloatDimension) else [round(value) for value in raw]
        points[name] = list(dict.fromkeys(dimension.nearest(value) for value in rounded))
    return points
