"""The samplers and pruners that an experiment may name; an unknown name is an error."""

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

from e2i_assets.core.algorithms.early_stopping import FIRST_REPORT_ROUND
from e2i_assets.core.errors import E2iError
from e2i_assets.core.search.distinct_points import nsga2
from e2i_assets.core.search_space.dimensions import CategoricalDimension, FloatDimension
from e2i_assets.core.search_space.space import SearchSpace

if TYPE_CHECKING:
    import optuna

Made = TypeVar("Made")

STARTUP_TRIALS = 10
PRUNER_STARTUP_TRIALS = 5
# A configuration with a low learning rate looks bad for longer. Replayed curves of 24 random configurations (two
# boosters, four tables): with pruning from round 10 on, the median pruner used 39 % of all rounds and pruned the best
# configuration in half of all orders; from round 30 on 47 % and 43 %; from round 50 on 53 % and 30 %. A sampler that
# learns from its trials proposes similar configurations again.
WARMUP_ROUNDS = 30
# One fold says little about the others, so no trial is pruned by its first fold alone.
WARMUP_FOLDS = 2
# Optuna's default level. With fewer than four pairs no exact test reaches it, and ties make SciPy approximate.
WILCOXON_LEVEL = 0.1
WILCOXON_PAIRS = 4
# Percentage of trials that the percentile pruner keeps: it prunes the best trial a third as often as the median
# pruner and uses a tenth more rounds.
KEPT_PERCENT = 75.0
REDUCTION = 3
GRID_POINTS = 5
GENERATIONS = 5

SAMPLERS = ("tpe", "random", "cmaes", "qmc", "grid", "nsga2", "gp")
PRUNERS = ("median", "percentile", "successive_halving", "hyperband", "wilcoxon", "patient", "none")


def require(name: str) -> None:
    """Check that a sampler exists and that its package is installed.

    Raises:
        E2iError: There is no sampler of that name, or its package is not installed.
    """
    if name not in SAMPLERS:
        raise E2iError(f"unknown sampler {name!r}: choose one of {', '.join(SAMPLERS)}")
    if name == "gp" and find_spec("torch") is None:
        raise E2iError(
            "sampler 'gp' needs torch, which is not installed: install the extra gp (package torch), or choose tpe"
        )


def sampler(
    name: str, seed: int, space: SearchSpace, budget: int = 100, startup: int = STARTUP_TRIALS
) -> "optuna.samplers.BaseSampler":
    """Return a sampler.

    Args:
        name: One of `SAMPLERS`.
        seed: The same seed and the same earlier trials give the same configurations.
        space: The search space to sample from.
        budget: Trials of the study. A generation of NSGA-II has a fifth of them: with Optuna's default of 50, a small
            study would consist of its random first generation only.
        startup: Trials before the sampler learns from them, queued trials included.

    Raises:
        E2iError: There is no sampler of that name, or its package is not installed.
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
    """Return the number of trials before a sampler learns from them; queued trials count, as in Optuna."""
    if name == "nsga2":
        return _population(budget)
    return startup if name in ("tpe", "cmaes", "gp") else 0


def _population(budget: int) -> int:
    return min(50, max(10, budget // GENERATIONS))


def _grid_sampler(space: SearchSpace, seed: int) -> "optuna.samplers.BaseSampler":
    from optuna.samplers import GridSampler

    class Grid(GridSampler):
        """Optuna's grid sampler, for a study that also has queued trials, which are not points of the grid."""

        def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
            if "grid_id" in trial.system_attrs:
                super().after_trial(study, trial, state, values)

        def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
            if "grid_id" in trial.system_attrs:
                return super().sample_independent(study, trial, param_name, param_distribution)
            # A queued trial may leave parameters open: any value of the grid is valid for them.
            values = self._search_space[param_name]
            return values[self._rng.rng.randint(len(values))]

    # The seed decides the numbering of the points, which has to be the same in every call.
    made = Grid(grid(space), seed=0)
    made._rng.rng.seed(seed)
    return made


def is_exhausted(study: "optuna.Study") -> bool:
    """Return whether a grid search has tried all its points and no trial is queued; False for other samplers."""
    from optuna.samplers import GridSampler
    from optuna.trial import TrialState

    if not isinstance(study.sampler, GridSampler) or not study.sampler.is_exhausted(study):
        return False
    return not study.get_trials(deepcopy=False, states=(TrialState.WAITING,))


def pruner(name: str, cap: int, on_folds: bool = False) -> "optuna.pruners.BasePruner":
    """Return a pruner; a step is a boosting round or tree of the report schedule, or a fold.

    Args:
        name: One of `PRUNERS`.
        cap: Maximum number of rounds, trees or folds of a trial.
        on_folds: Whether a step is a fold.

    Raises:
        E2iError: There is no pruner of that name, or it needs folds and a step is not a fold.
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
    """Return the result of ``maker``, without Optuna's warning about experimental classes: our tests cover each one."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return maker()


def grid(space: SearchSpace) -> dict[str, list[Any]]:
    """Return up to `GRID_POINTS` values per parameter, evenly spaced (on a logarithmic scale if ``log`` is set).

    Raises:
        E2iError: A parameter depends on another, which a grid cannot express.
    """
    points: dict[str, list[Any]] = {}
    for name, dimension in space.items():
        if dimension.when:
            raise E2iError(f"a grid cannot search {name!r}, which depends on another parameter: use sampler tpe")
        if isinstance(dimension, CategoricalDimension):
            points[name] = list(dimension.choices)
            continue
        low, high = float(dimension.low), float(dimension.high)
        fractions = [i / (GRID_POINTS - 1) for i in range(GRID_POINTS)]
        raw = [low * (high / low) ** s if dimension.log else low + s * (high - low) for s in fractions]
        rounded = raw if isinstance(dimension, FloatDimension) else [round(value) for value in raw]
        points[name] = list(dict.fromkeys(dimension.nearest(value) for value in rounded))
    return points
