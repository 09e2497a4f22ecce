"""Versions of installed libraries."""

from importlib import metadata

# XGBoost publishes the same module twice: with CUDA (227 MB), and without it (18 MB, in the image of deploy/).
_OTHER_PACKAGES = {"xgboost": "xgboost-cpu"}


def library_version(name: str) -> str:
    """Return the installed version of a library, whichever of its packages is installed.

    Raises:
        PackageNotFoundError: None is installed.
    """
    try:
        return metadata.version(name)  # noqa: TID251
    except metadata.PackageNotFoundError:
        if other := _OTHER_PACKAGES.get(name):
            return metadata.version(other)  # noqa: TID251
        raise
