"""One experiment in a process of its own: started by `e2i run`, ends with it, and leaves its outcome in a file."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from e2i_assets.adapters.lineage import is_complete
from e2i_assets.adapters.postgres.server import database
from e2i_assets.adapters.settings import Settings, from_environment
from e2i_assets.adapters.workspace import Workspace
from e2i_assets.commands.dagster_home import dagster_home
from e2i_assets.commands.parent import end_with_input
from e2i_assets.core.errors import E2iError

if TYPE_CHECKING:
    import dagster as dg

LAUNCHER = {"e2i/launcher": "e2i run"}


def main() -> None:
    """Run the experiment that the first argument names and write the outcome to the file that the second names."""
    end_with_input()
    name, outcome_file = sys.argv[1], Path(sys.argv[2])
    try:
        settings = from_environment(os.environ)
        outcome = outcome_of(Workspace(settings, database(settings)), name)
    except E2iError as error:
        outcome = {"status": "failed", "error": str(error)}
    partial = outcome_file.with_suffix(".partial")
    partial.write_text(json.dumps(outcome), encoding="utf-8")
    partial.replace(outcome_file)


def outcome_of(workspace: Workspace, name: str) -> dict[str, Any]:
    """Run the graph for an experiment, unless everything that it would make is there already."""
    with workspace.database.advisory_lock(f"run {name}"):
        if is_complete(workspace, workspace.experiment(name)):
            return {"status": "kept"}
        with dagster_instance(workspace.settings) as instance:
            close_abandoned(instance, name)
            return _run(instance, name)


def dagster_instance(settings: Settings) -> "dg.DagsterInstance":
    """Open the instance that `dagster.yaml` describes."""
    import dagster as dg
    from dagster._core.instance.ref import InstanceRef

    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(dagster_home(settings))))


def close_abandoned(instance: "dg.DagsterInstance", name: str) -> None:
    """Mark runs of ours as failed whose process died: we hold the lock of this experiment, so none can be alive."""
    import dagster as dg

    unfinished = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED]
    mine = dg.RunsFilter(tags={**LAUNCHER, "dagster/partition": name}, statuses=unfinished)
    for run in instance.get_runs(mine):
        instance.report_run_failed(run, "its process ended before it did; the next run of the experiment goes on")


def _run(instance: "dg.DagsterInstance", name: str) -> dict[str, Any]:
    from e2i_assets.definitions import defs
    from e2i_assets.defs.partitions import EXPERIMENTS

    instance.add_dynamic_partitions(EXPERIMENTS, [name])
    job = defs().resolve_job_def("tune_and_train")
    result = job.execute_in_process(instance=instance, partition_key=name, raise_on_error=False, tags=LAUNCHER)
    broken = [
        {
            "check": one.check_name,
            "asset": one.asset_key.to_user_string(),
            "why": one.description or "",
            "blocking": one.blocking,
        }
        for one in result.get_asset_check_evaluations()
        if not one.passed
    ]
    outcome = {"status": "done", "run_id": result.run_id, "checks": broken}
    return outcome if result.success else {**outcome, "status": "failed", "error": _reason(result)}


def _reason(result: Any) -> str:
    """Return what a person can act on: the message of the step that failed, of its cause where Dagster wrapped it."""
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            return f"{event.step_key}: {error.message.strip() if error else 'failed'}"
    return "the run failed before its first step: see its log"


if __name__ == "__main__":
    main()
