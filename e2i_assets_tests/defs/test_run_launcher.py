"""The health of a run: a run is dead if its code server is gone, and not if the server is busy."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import dagster as dg
import grpc  # type: ignore[import-untyped]  # it comes with Dagster
import pytest
from dagster._core.launcher.base import WorkerStatus
from dagster._grpc.client import DagsterGrpcClient
from quiet_port import quiet_port

from e2i_assets.defs import run_launcher
from e2i_assets.defs.run_launcher import ProjectRunLauncher


@pytest.fixture
def busy() -> Iterator[int]:
    """The port of a server that accepts requests and never answers."""
    over, port = threading.Event(), quiet_port()

    class Waits(grpc.GenericRpcHandler):
        def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            return grpc.unary_unary_rpc_method_handler(lambda request, context: over.wait() or b"")

    server = grpc.server(ThreadPoolExecutor(1), handlers=(Waits(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    yield port
    over.set()
    server.stop(1).wait()


def status(monkeypatch: pytest.MonkeyPatch, port: int) -> WorkerStatus:
    monkeypatch.setattr(run_launcher, "_SECONDS", 1)
    client = DagsterGrpcClient(port=port, host="127.0.0.1")
    monkeypatch.setattr(ProjectRunLauncher, "_get_grpc_client_for_termination", lambda self, run_id: client)
    run = dg.DagsterRun(job_name="any", run_id=str(uuid4()))
    return ProjectRunLauncher().check_run_worker_health(run).status


def test_a_run_whose_code_server_is_too_busy_to_answer_is_running(monkeypatch: pytest.MonkeyPatch, busy: int) -> None:
    assert status(monkeypatch, busy) is WorkerStatus.RUNNING


def test_a_run_whose_code_server_is_gone_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    assert status(monkeypatch, quiet_port()) is WorkerStatus.NOT_FOUND
