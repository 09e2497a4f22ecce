"""Sample data in installed packages."""

import importlib.resources
import importlib.util
from importlib.resources.abc import Traversable

from e2i_assets.core.errors import E2iError

SAMPLES = {"rand_hie": ("statsmodels", "datasets/randhie/src/randhie.csv")}


def sample_file(name: str) -> Traversable:
    """Return the file of a sample without importing its package, which takes a second and 100 MB.

    Raises:
        E2iError: The package is not installed, or does not contain the file.
    """
    package, path = SAMPLES[name]
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise E2iError(f"sample {name} is part of the package {package}, which is not installed: install it")
    file = importlib.resources.files(importlib.util.module_from_spec(spec)).joinpath(path)
    if not file.is_file():
        raise E2iError(f"sample {name} is not at {path} of the package {package}: install the version in the lock file")
    return file
