"""The available algorithms: every module of this package that defines ALGORITHM. A new algorithm is a new file."""

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache

from e2i_assets.core import algorithms
from e2i_assets.core.algorithms.algorithm import Algorithm
from e2i_assets.core.errors import UnsupportedAlgorithm
from e2i_assets.core.losses import LossName
from e2i_assets.core.metrics import ProblemType


@cache
def _algorithms() -> dict[str, Algorithm]:
    modules = [
        importlib.import_module(f"{algorithms.__name__}.{module.name}")
        for module in pkgutil.iter_modules(algorithms.__path__)
    ]
    found = [module.ALGORITHM for module in modules if hasattr(module, "ALGORITHM")]
    return {algorithm.name: algorithm for algorithm in sorted(found, key=lambda one: one.name)}


def names() -> tuple[str, ...]:
    """Return the names of all algorithms."""
    return tuple(_algorithms())


def installed() -> tuple[str, ...]:
    """Return the names of the algorithms whose package is installed."""
    return tuple(name for name, one in _algorithms().items() if one.is_installed)


def optional_packages() -> tuple[str, ...]:
    """Return the packages of algorithms that only an extra installs."""
    return tuple(sorted({one.framework for one in _algorithms().values() if one.extra is not None}))


def able(problem_type: ProblemType, monotone: bool = False, loss: LossName = "squared_error") -> tuple[str, ...]:
    """Return the names of the algorithms that support a problem type, the simplest first.

    Args:
        problem_type: The problem type.
        monotone: Only those whose fits can be monotone in a column.
        loss: Only those whose fits can minimise this loss of a regression.
    """
    found = (one for one in _algorithms().values() if problem_type in one.problem_types and loss in one.losses)
    return by_complexity(one.name for one in found if one.can_be_monotone or not monotone)


def compared_by_auto(
    problem_type: ProblemType, monotone: bool = False, loss: LossName = "squared_error"
) -> tuple[str, ...]:
    """Return those of `able` that ``auto`` compares, the simplest first; every installation has them."""
    return tuple(name for name in able(problem_type, monotone, loss) if algorithm(name).in_auto)


def by_complexity(chosen: Iterable[str]) -> tuple[str, ...]:
    """Return names of algorithms ordered by complexity, the simplest first."""
    return tuple(sorted(chosen, key=lambda name: (algorithm(name).complexity, name)))


def algorithm(name: str) -> Algorithm:
    """Return the algorithm with this name.

    Raises:
        UnsupportedAlgorithm: There is no algorithm with this name.
    """
    try:
        return _algorithms()[name]
    except KeyError:
        raise UnsupportedAlgorithm(f"unknown algorithm {name!r}: choose one of {', '.join(names())}") from None
