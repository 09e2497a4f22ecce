"""What decides a trial's value besides its parameters and rows: the versions of the code that fits and judges it."""

import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from e2i_assets.adapters.source_digest import source_digest
from e2i_assets.core.errors import E2iError

_LIBRARIES = ("optuna", "numpy", "pandas", "scipy", "scikit-learn", "imbalanced-learn", "xgboost", "lightgbm")


class VersionsDiffer(E2iError):
    """A process that would judge trials otherwise than the one that leads the study."""


@cache
def versions() -> dict[str, str]:
    """Return the versions of this process: Python's up to the minor one, the libraries', and ours with its sources."""
    found = {"python": ".".join(platform.python_version_tuple()[:2]), "e2i_assets": f"sources {source_digest()}"}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    return found


def require_the_same(asked: Mapping[str, str], where: str) -> None:
    """Compare the versions of this process with those of the leader.

    Raises:
        VersionsDiffer: With each one that is another.
    """
    here = versions()
    others = {name: wanted for name, wanted in asked.items() if here.get(name) != wanted}
    differing = [f"{name} {here.get(name)} instead of {wanted}" for name, wanted in others.items()]
    if differing:
        raise VersionsDiffer(
            f"{where} would not judge trials as the process does that leads the study: it has {', '.join(differing)}. "
            "Install the same requirements.lock and the same commit on both, or use one image for all"
        )
