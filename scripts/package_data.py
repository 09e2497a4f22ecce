"""The build hook of the wheel: the files at the root of the checkout that the program needs become package data.

A table of pyproject.toml cannot do this: `sources` moves folders only, and `force-include` also copies the files into
an editable installation, where they become stale.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# e2i_assets/adapters/package_data.py finds them.
FILES = ("sql", "experiments", "dagster.yaml", "workspace.yaml", ".env.example")


class PackageData(BuildHookInterface[Any]):
    """Adds the files to a wheel, and not to an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Map each file or folder to its place in the wheel."""
        if version == "standard":
            build_data["force_include"] |= {name: f"e2i_assets/_project/{name}" for name in FILES}
