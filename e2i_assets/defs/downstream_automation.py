"""What follows a model that somebody trained by itself: who is in use now, and what the memory keeps of it."""

import os

import dagster as dg

from e2i_assets.adapters.settings import automation, scan_seconds

# Both take seconds, and without them the model would stand beside an older champion and an older memory. In a run of
# the whole graph they are made anyway, and nothing is due. Nothing here asks again for what failed.
AFTER_TRAINING = dg.AutomationCondition.eager().with_label("after its model")

follow_ups = dg.AutomationConditionSensorDefinition(
    "follow_ups",
    target=dg.AssetSelection.assets("champion_model", "hpo_pattern_memory"),
    minimum_interval_seconds=scan_seconds(os.environ),
    default_status=dg.DefaultSensorStatus.RUNNING if automation(os.environ) else dg.DefaultSensorStatus.STOPPED,
)
