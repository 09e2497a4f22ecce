"""The samplers and pruners that an experiment may name. Each named option works; an unknown one is an error."""

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from e2i_assets.core.algorithms.ladder import FIRST_RUNG
from e2i_assets.core.errors import E2iError
from e2i_assets.core.search_space.dimensions import CategoricalDimension, FloatDimension
from e2i_assets.core.search_space.space import SearchSpace

if TYPE_CHECKING:
    import optuna

Made = TypeVar("Made")

STARTUP_TRIALS = 10
PRUNER_STARTUP_TRIALS = 5
WARMUP_ROUNDS = 10
REDUCTION = 3
GRID_POINTS = 5

SAMPLERS = ("tpe", "random", "cmaes", "qmc", "grid", "nsga2")
PRUNERS = ("median", "percentile", "successive_halving", "hyperband", "patient", "none")


def sampler(name: str, seed: int, space: SearchSpace) -> "optuna.samplers.BaseSampler":
    """Make a sampler.

    Raises:
        E2iError: There is none of that name.
    """
    from optuna import samplers

    conditional = any(dimension.when for dimension in space.values())
    makers: dict[str, Callable[[], samplers.BaseSampler]] = {
        "tpe": lambda: samplers.TPESampler(
            seed=seed, n_startup_trials=STARTUP_TRIALS, multivariate=True, group=conditional
        ),
        "random": lambda: samplers.RandomSampler(seed=seed),
        "cmaes": lambda: samplers.CmaEsSampler(
            seed=seed, n_startup_trials=STARTUP_TRIALS, warn_independent_sampling=False
        ),
        "qmc": lambda: samplers.QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False),
        "grid": lambda: samplers.GridSampler(grid(space), seed=seed),
        "nsga2": lambda: samplers.NSGAIISampler(seed=seed),
    }
    if name not in makers:
        raise E2iError(f"unknown sampler {name!r}: choose one of {', '.join(SAMPLERS)}")
    return _made(makers[name])


def pruner(name: str, cap: int) -> "optuna.pruners.BasePruner":
    """Make a pruner whose steps are boosting rounds or trees on our ladder.

    Args:
        name: One of `PRUNERS`.
        cap: Most rounds that a trial can report.

    Raises:
        E2iError: There is none of that name.
    """
    from optuna import pruners

    median: dict[str, Any] = {"n_startup_trials": PRUNER_STARTUP_TRIALS, "n_warmup_steps": WARMUP_ROUNDS}
    makers: dict[str, Callable[[], pruners.BasePruner]] = {
        "median": lambda: pruners.MedianPruner(**median),
        "percentile": lambda: pruners.PercentilePruner(25.0, **median),
        "successive_halving": lambda: pruners.SuccessiveHalvingPruner(
            min_resource=FIRST_RUNG, reduction_factor=REDUCTION
        ),
        "hyperband": lambda: pruners.HyperbandPruner(
            min_resource=FIRST_RUNG, max_resource=max(cap, FIRST_RUNG), reduction_factor=REDUCTION
        ),
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
