"""The process of one experiment: `e2i run` starts it, it exits with `e2i run`, and writes its outcome to a file."""

import gc
import json
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from e2i_assets.adapters.postgres.errors import DATABASE_ERRORS
from e2i_assets.adapters.postgres.server import database
from e2i_assets.adapters.processes.parent import end_with_input
from e2i_assets.adapters.processes.quick_exit import quick_exit
from e2i_assets.adapters.settings import Settings, current_settings
from e2i_assets.cli.catch_up import caught_up
from e2i_assets.cli.console import readable_error
from e2i_assets.cli.dagster_home import dagster_instance
from e2i_assets.core.errors import E2iError
from e2i_assets.services import track_runs
from e2i_assets.services.freshness import is_complete
from e2i_assets.services.project import Project
from e2i_assets.services.run_lock import run_lock, unfinished_run

if TYPE_CHECKING:
    import dagster as dg

# Python's default collects garbage every 700 new objects: a thousand times during the imports, a fifth of their CPU
# time.
_OBJECTS_BEFORE_COLLECTION = 200_000
_WRAPPERS = ("Dagster", "RetryRequested")


def main() -> None:
    """Run the experiment named by the first argument and write the outcome to the file named by the second."""
    end_with_input()
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTION)
    name, outcome_file = sys.argv[1], Path(sys.argv[2])
    try:
        settings = current_settings()
        outcome = outcome_of(Project(settings, database(settings)), name)
    except E2iError as error:
        outcome = {"status": "failed", "error": str(error)}
    except DATABASE_ERRORS as error:
        traceback.print_exc()  # for the log, to which the error message refers
        outcome = {"status": "failed", "error": str(readable_error(error))}
    partial = outcome_file.with_suffix(".partial")
    partial.write_text(json.dumps(outcome), encoding="utf-8")
    partial.replace(outcome_file)


def outcome_of(project: Project, name: str) -> dict[str, Any]:
    """Run the graph for an experiment unless all its assets are up to date."""
    with project.database.advisory_lock(run_lock(name)):
        # Trainings that MLflow missed are sent, not repeated.
        sent = [one for one in caught_up(project, name) if one.result.status == "logged"]
        outcome: dict[str, Any] = {"status": "up_to_date", "missing": []}
        complete, unfinished = is_complete(project, project.experiment(name)), unfinished_run(project, name)
        if not complete or unfinished.exists():
            from e2i_assets.defs.abandoned_runs import close_abandoned

            unfinished.parent.mkdir(parents=True, exist_ok=True)
            unfinished.touch()
            with dagster_instance(project.settings) as instance:
                abandoned = close_abandoned(project, instance, name)
                if abandoned:
                    track_runs.close_stale(project, abandoned.__contains__)
                if not complete:
                    outcome = _run(project.settings, instance, name)
            unfinished.unlink()
        outcome["missing"] += [f"not in MLflow yet, {one.reason}" for one in track_runs.waiting(project, name)]
        return {**outcome, "caught_up": len(sent)}


def _run(settings: Settings, instance: "dg.DagsterInstance", name: str) -> dict[str, Any]:
    from e2i_assets.definitions import defs
    from e2i_assets.defs.abandoned_runs import COMMAND_TAGS
    from e2i_assets.defs.namespace import namespace_of
    from e2i_assets.defs.tracing_resource import LOST_TRACES

    instance.add_dynamic_partitions(namespace_of(settings).partition_set, [name])
    job = defs().resolve_job_def("tune_and_train")
    result = job.execute_in_process(instance=instance, partition_key=name, raise_on_error=False, tags=COMMAND_TAGS)
    not_passed = [
        {
            "check": one.check_name,
            "asset": one.asset_key.to_user_string(),
            "why": one.description or "",
            "blocking": one.blocking,
        }
        for one in result.get_asset_check_evaluations()
        if not one.passed
    ]
    run = instance.get_run_by_id(result.run_id)
    lost = run.tags.get(LOST_TRACES) if run else None
    missing = [f"traces: {lost}"] if lost else []
    outcome = {"status": "done", "run_id": result.run_id, "checks": not_passed, "missing": missing}
    return outcome if result.success else {**outcome, "status": "failed", "error": _reason(result)}


def _reason(result: Any) -> str:
    """Return the message of the failed step, or of its cause where Dagster wrapped it."""
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            # An error of ours may have a cause of its own, and says more than that.
            while error is not None and error.cause is not None and (error.cls_name or "").startswith(_WRAPPERS):
                error = error.cause
            return f"{event.step_key}: {_text(error.message) if error else 'failed'}"
    return "the run failed before its first step: see its log"


def _text(message: str) -> str:
    """Return the message of an error, without the class if it is one of ours."""
    kind, _, text = message.strip().partition(": ")
    return text if kind.startswith("e2i_assets.") else message.strip()


if __name__ == "__main__":
    main()
    quick_exit()
