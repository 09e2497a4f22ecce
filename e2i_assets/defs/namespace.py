"""The names of the definitions in a Dagster deployment: every asset key, group and partition set is named here."""

from dataclasses import dataclass
from typing import Any

import dagster as dg

from e2i_assets.adapters.settings import Settings
from e2i_assets.core.experiments.experiment import Experiment

EXPERIMENTS = "experiment"


@dataclass(frozen=True, slots=True)
class Binding:
    """An experiment with assets of its own, which have no partitions.

    Attributes:
        experiment: The experiment.
        upstream: The asset whose rows it reads.
        component: The file of the component.
        automation: When its assets are materialized without a request; None: never.
        new_rows: The asset whose rows it scores; None if it scores those of a source, or none.
    """

    experiment: Experiment
    upstream: dg.AssetKey
    component: str
    automation: dg.AutomationCondition[Any] | None
    new_rows: dg.AssetKey | None = None


@dataclass(frozen=True, slots=True)
class Namespace:
    """What sets our definitions apart from those of other teams in the same deployment.

    Attributes:
        key_prefix: The first parts of each asset key.
        group_prefix: The beginning of each group name.
        binding: The experiment whose own assets these are; its name is then the last part of the prefix, and the group.
    """

    key_prefix: tuple[str, ...] = ()
    group_prefix: str = ""
    binding: Binding | None = None

    @property
    def _prefix(self) -> tuple[str, ...]:
        return self.key_prefix if self.binding is None else (*self.key_prefix, self.binding.experiment.name)

    def key(self, asset: str) -> dg.AssetKey:
        """Return the key of an asset of the graph."""
        return dg.AssetKey([*self._prefix, asset])

    def group(self, stage: str) -> str:
        """Return the name of the group of a stage."""
        return f"{self.group_prefix}{stage}" if self.binding is None else self.binding.experiment.name

    def op(self, name: str) -> str:
        """Return the name of an op. Dagster names the op of an asset by its key in the same way."""
        return "__".join((*self._prefix, name))

    @property
    def partition_set(self) -> str:
        """The name of the dynamic partitions. Dagster stores them by name, for all code locations of a deployment."""
        return self.op(EXPERIMENTS)

    @property
    def partitions(self) -> dg.DynamicPartitionsDefinition:
        """The partitions: one per experiment, added when the experiment is registered, never deleted."""
        return dg.DynamicPartitionsDefinition(name=self.partition_set)

    @property
    def partitions_of_assets(self) -> dg.DynamicPartitionsDefinition | None:
        """The partitions of the assets; None for those of one experiment."""
        return self.partitions if self.binding is None else None


def namespace_of(settings: Settings) -> Namespace:
    """Return the namespace that the environment configures."""
    return Namespace(settings.key_prefix)


def asset_name(key: dg.AssetKey) -> str:
    """Return the name of an asset without the prefix of its key."""
    return key.path[-1]


def sibling(key: dg.AssetKey, name: str) -> dg.AssetKey:
    """Return the key of another asset of the same graph."""
    return dg.AssetKey([*key.path[:-1], name])


def experiment_of(context: dg.AssetExecutionContext | dg.OutputContext | dg.InputContext) -> str:
    """Return the name of the experiment: the partition, or the part of the key before the name of the asset."""
    return context.partition_key if context.has_partition_key else context.asset_key.path[-2]
