"""How the graph is parted: one partition an experiment, added when an experiment is registered, never deleted."""

import dagster as dg

EXPERIMENTS = "experiment"
experiments = dg.DynamicPartitionsDefinition(name=EXPERIMENTS)
