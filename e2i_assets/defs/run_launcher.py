"""The run launcher: Dagster's default one, extended by a health check of run processes. `dagster.yaml` names it."""

from functools import cached_property

import dagster as dg

from e2i_assets.adapters.postgres.server import database
from e2i_assets.adapters.settings import current_settings
from e2i_assets.defs.abandoned_runs import is_abandoned_command, is_of_command
from e2i_assets.defs.dagster_internals import (
    CanCancelExecutionRequest,
    CanCancelExecutionResult,
    CheckRunHealthResult,
    DagsterUserCodeUnreachableError,
    WorkerStatus,
    deserialize_value,
)
from e2i_assets.services.project import Project

_SECONDS = 20


class ProjectRunLauncher(dg.DefaultRunLauncher):
    """Runs are processes of a code server. If the run and its server both die, no process reports the failure.

    A live server reports the failures of its own runs. Only a run whose server is gone, or whose server does not know
    it, is therefore dead. Run monitoring then fails the run, which frees its slots, and run retries start it again.
    """

    @cached_property
    def _project(self) -> Project:
        settings = current_settings()
        return Project(settings, database(settings))

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Return True: Dagster's run monitoring calls the health check."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Return whether the process of a run is alive: `e2i run` holds a lock, a code server is asked."""
        if is_of_command(run):
            if is_abandoned_command(self._project, run):
                return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the `e2i run` that executes the run has ended")
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]  # Dagster's own
        if client is None:
            # For example a run of somebody's own script.
            return CheckRunHealthResult(WorkerStatus.RUNNING, "the run is not a process of a code server")
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id), timeout=_SECONDS)
        except DagsterUserCodeUnreachableError as error:
            if _was_late(error.__cause__):
                # The server is alive, but a search uses all cores. If the run counted as dead, a second copy would be
                # started beside it.
                return CheckRunHealthResult(WorkerStatus.RUNNING, "the code server is too busy to answer")
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the code server that started the run is gone")
        if deserialize_value(answer, CanCancelExecutionResult).can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the code server does not know the process of the run")


def _was_late(error: BaseException | None) -> bool:
    """Return whether a gRPC call exceeded its deadline. Dagster reports this like an unreachable server."""
    code = getattr(error, "code", None)
    return callable(code) and code().name == "DEADLINE_EXCEEDED"
