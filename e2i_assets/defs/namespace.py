"""The names of the definitions in a Dagster deployment: every asset key, group and partition set is named here."""

from dataclasses import dataclass

import dagster as dg

from e2i_assets.adapters.settings import Settings

EXPERIMENTS = "experiment"


@dataclass(frozen=True, slots=True)
class Namespace:
    """What sets our definitions apart from those of other teams in the same deployment.

    Attributes:
        key_prefix: The first parts of each asset key.
        group_prefix: The beginning of each group name.
    """

    key_prefix: tuple[str, ...] = ()
    group_prefix: str = ""

    def key(self, asset: str) -> dg.AssetKey:
        """Return the key of an asset of the graph."""
        return dg.AssetKey([*self.key_prefix, asset])

    def group(self, stage: str) -> str:
        """Return the name of the group of a stage."""
        return f"{self.group_prefix}{stage}"

    def op(self, name: str) -> str:
        """Return the name of an op. Dagster names the op of an asset by its key in the same way."""
        return "__".join((*self.key_prefix, name))

    @property
    def partition_set(self) -> str:
        """The name of the dynamic partitions. Dagster stores them by name, for all code locations of a deployment."""
        return self.op(EXPERIMENTS)

    @property
    def partitions(self) -> dg.DynamicPartitionsDefinition:
        """The partitions: one per experiment, added when the experiment is registered, never deleted."""
        return dg.DynamicPartitionsDefinition(name=self.partition_set)


def namespace_of(settings: Settings) -> Namespace:
    """Return the namespace that the environment configures."""
    return Namespace(settings.key_prefix)


def asset_name(key: dg.AssetKey) -> str:
    """Return the name of an asset without the prefix of its key."""
    return key.path[-1]
