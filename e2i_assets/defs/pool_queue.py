"""What a run does while it waits for a pool slot: it frees slots of dead runs, and logs who holds the others."""

from dataclasses import dataclass, field

import dagster as dg

from e2i_assets.defs.abandoned_runs import free_slots
from e2i_assets.defs.dagster_internals import EventLogStorage
from e2i_assets.defs.launched_runs import PARTITION_TAG
from e2i_assets.services.project import Project


@dataclass(slots=True)
class PoolQueue:
    """The runs of this process that wait for a pool slot.

    Attributes:
        project: The project.
    """

    project: Project
    _logged: dict[str, str] = field(default_factory=dict)

    def freed(self, instance: dg.DagsterInstance, storage: EventLogStorage, pool: str, run_id: str) -> bool:
        """Free the slots of dead runs and return whether there were any; otherwise log once who holds the pool."""
        if free_slots(self.project, instance, storage, but=[run_id]):
            return True
        claimed = {slot.run_id for slot in storage.get_concurrency_info(pool).claimed_slots} - {run_id}
        holders = instance.get_runs(dg.RunsFilter(run_ids=list(claimed))) if claimed else []
        named = ", ".join(
            f"{run.tags.get(PARTITION_TAG, run.job_name)} (run {run.run_id.partition('-')[0]})"
            for run in sorted(holders, key=lambda run: run.run_id)
        )
        run = instance.get_run_by_id(run_id)
        if run is not None and named and self._logged.get(run_id) != named:
            self._logged[run_id] = named
            instance.report_engine_event(f'Waits for a slot of the pool "{pool}", which {named} has', run)
        return False
