"""Dagster's own launcher, which can also tell whether the process of a run is still there; `dagster.yaml` names it."""

import dagster as dg

from e2i_assets.defs.dagster_internals import (
    CanCancelExecutionRequest,
    CanCancelExecutionResult,
    CheckRunHealthResult,
    DagsterUserCodeUnreachableError,
    WorkerStatus,
    deserialize_value,
)

_SECONDS = 20


class ProjectRunLauncher(dg.DefaultRunLauncher):
    """Runs are processes of a code server. When both are gone, nobody is left who would say that the run has failed.

    A server that lives says so of its own runs. So only a server that is not there, or that has never heard of the
    run, counts as dead; run monitoring then fails the run, which frees its slots, and run retries start it again.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        """It does, which makes Dagster's run monitoring ask."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Ask the server that started a run whether it goes on."""
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]  # Dagster's own
        if client is None:
            # Started by `e2i run`, say, which looks after its own.
            return CheckRunHealthResult(WorkerStatus.RUNNING, "it is no process of a code server")
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id), timeout=_SECONDS)
        except DagsterUserCodeUnreachableError as error:
            if _was_late(error.__cause__):
                # It is there, and starved by a search that has every core. Called dead, its run would be started a
                # second time beside the first.
                return CheckRunHealthResult(WorkerStatus.RUNNING, "the code server is too busy to answer")
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the code server that started it is gone")
        if deserialize_value(answer, CanCancelExecutionResult).can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the code server does not know of its process")


def _was_late(error: BaseException | None) -> bool:
    """Whether a gRPC call was given up for its time, which Dagster reports like one that nobody took."""
    code = getattr(error, "code", None)
    return callable(code) and code().name == "DEADLINE_EXCEEDED"
