"""The versions that determine a trial's value besides parameters and rows: those of the fitting and evaluating code."""

import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError

from e2i_assets.adapters.library_versions import library_version
from e2i_assets.adapters.source_digest import source_digest
from e2i_assets.core.algorithms import registry
from e2i_assets.core.errors import E2iError

_LIBRARIES = ("optuna", "numpy", "pandas", "scipy", "scikit-learn", "imbalanced-learn", "xgboost", "lightgbm")


class VersionsDiffer(E2iError):
    """A process would evaluate trials differently from the coordinator of the study."""


@cache
def versions() -> dict[str, str]:
    """Return the versions of this process: Python (major and minor), the libraries, and the digest of our sources."""
    found = {"python": ".".join(platform.python_version_tuple()[:2]), "e2i_assets": f"sources {source_digest()}"}
    for library in _LIBRARIES + registry.optional_packages():
        try:
            found[library] = library_version(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    return found


def versions_of(framework: str) -> dict[str, str]:
    """Return the versions that the trials of a framework depend on: of optional libraries, those of this one."""
    unused = {*registry.optional_packages()} - {framework}
    return {name: version for name, version in versions().items() if name not in unused}


def require_the_same(expected: Mapping[str, str], where: str) -> None:
    """Compare the versions of this process with those of the coordinator.

    Raises:
        VersionsDiffer: Versions differ; it lists them.
    """
    here = versions()
    others = {name: wanted for name, wanted in expected.items() if here.get(name) != wanted}
    differing = [f"{name} {here.get(name)} instead of {wanted}" for name, wanted in others.items()]
    if differing:
        raise VersionsDiffer(
            f"{where} would not evaluate trials like the coordinator of the study: it has {', '.join(differing)}. "
            "Install the same requirements.lock and the same commit on both, or use the same image"
        )
