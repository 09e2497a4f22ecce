"""The files that come with the program: the schema, the configuration of Dagster, the shipped experiments."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
# In a wheel they are in the package, in a checkout at its root (see pyproject.toml).
_ROOT = _PACKAGE / "_project" if (_PACKAGE / "_project").is_dir() else _PACKAGE.parent


def package_data(name: str) -> Path:
    """Return the path of a file or folder that comes with the program, such as ``dagster.yaml``."""
    return _ROOT / name
