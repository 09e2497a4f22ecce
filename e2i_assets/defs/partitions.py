"""The dynamic partitions: one per experiment, added when the experiment is registered, never deleted."""

import dagster as dg

EXPERIMENTS = "experiment"
experiments = dg.DynamicPartitionsDefinition(name=EXPERIMENTS)
