"""Services and the signals that could leave processes behind, with real programs and real signals."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from e2i_assets.adapters.processes.loopback import HOST, free_port
from e2i_assets.adapters.processes.services import Service, ServiceEvent, run_services

# Answers over HTTP; its grandchild is in a separate session and ignores SIGTERM.
pytestmark = pytest.mark.processes

STUBBORN = """
import http.server, os, signal, subprocess, sys
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(99)"
grandchild = subprocess.Popen([sys.executable, "-c", child], start_new_session=True, stdout=subprocess.PIPE)
grandchild.stdout.readline()
with open(sys.argv[2], "w") as file:
    print(os.getpid(), grandchild.pid, file=file, flush=True)
http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind="127.0.0.1")
"""
OWNER = """
import sys, threading
from pathlib import Path
from e2i_assets.adapters.processes.services import Service, run_services
folder, port, script = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
service = Service("web", (sys.executable, "-c", script, port, str(folder / "pids")), f"http://127.0.0.1:{port}")
run_services([service], folder, lambda event: print(event.kind, flush=True), threading.Event())
"""


def web(folder: Path, name: str = "web") -> Service:
    port = free_port()
    command = (sys.executable, "-m", "http.server", str(port), "--bind", HOST, "--directory", str(folder))
    return Service(name, command, f"http://{HOST}:{port}")


def stubborn(folder: Path, name: str = "stubborn") -> Service:
    port = free_port()
    command = (sys.executable, "-c", STUBBORN, str(port), str(folder / "pids"))
    return Service(name, command, f"http://{HOST}:{port}")


class Record:
    """Records every event, and stops once the last service is ready."""

    def __init__(self, awaited: int) -> None:
        self.events: list[ServiceEvent] = []
        self.stop = threading.Event()
        self._awaited = awaited

    def __call__(self, event: ServiceEvent) -> None:
        self.events.append(event)
        if len(self.of("ready")) == self._awaited:
            self.stop.set()

    def of(self, kind: str) -> list[str]:
        return [event.service.name for event in self.events if event.kind == kind]


def eventually(true: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def gone(pids: list[int]) -> bool:
    return not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids)


def noted_pids(folder: Path) -> list[int]:
    return [int(pid) for pid in (folder / "pids").read_text().split()]


def watchdogs_of(owner: int) -> list[int]:
    found = [process for process in psutil.Process(owner).children() if "service_watchdog.py" in str(process.cmdline())]
    return [process.pid for process in found]


def test_services_start_answer_and_stop_together(tmp_path: Path) -> None:
    record = Record(awaited=2)
    assert run_services([web(tmp_path, "one"), web(tmp_path, "two")], tmp_path / "logs", record, record.stop) == 0
    assert record.of("starting") == ["one", "two"]
    assert sorted(record.of("ready")) == ["one", "two"]
    assert record.of("stopped") == ["one", "two"]
    assert not record.of("failed")
    assert "GET / HTTP" in (tmp_path / "logs" / "one.log").read_text()
    assert not psutil.Process().children(recursive=True)


def test_stop_ends_a_descendant_that_left_the_group_and_ignores_sigterm(tmp_path: Path) -> None:
    record = Record(awaited=1)
    assert run_services([stubborn(tmp_path)], tmp_path, record, record.stop) == 0
    assert len(noted_pids(tmp_path)) == 2
    assert gone(noted_pids(tmp_path))


def test_killed_owner_leaves_nothing_behind(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path), str(free_port()), STUBBORN],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert owner.stdout is not None
    assert [owner.stdout.readline().strip() for _ in range(2)] == ["starting", "ready"]
    pids = noted_pids(tmp_path) + watchdogs_of(owner.pid)
    assert len(pids) == 3
    owner.kill()
    owner.communicate()
    assert eventually(lambda: gone(pids))
    assert (tmp_path / "watchdog.log").read_text() == ""


def test_service_that_dies_is_reported_with_its_last_words_and_stops_the_others(tmp_path: Path) -> None:
    record = Record(awaited=99)
    dying = Service(
        "dying",
        (sys.executable, "-c", "import time; print('first'); time.sleep(0.5); raise SystemExit('the disk is on fire')"),
        f"http://{HOST}:{free_port()}",
    )
    assert run_services([web(tmp_path), dying], tmp_path, record, record.stop) == 1
    (failed,) = [event for event in record.events if event.kind == "failed"]
    assert failed.service.name == "dying"
    assert failed.detail == "it ended with exit status 1"
    assert failed.log_lines[-1] == "the disk is on fire"
    assert record.of("stopped") == ["web", "dying"]


def test_service_that_never_answers_is_given_up(tmp_path: Path) -> None:
    record = Record(awaited=1)
    service = replace(web(tmp_path), ready_path="/no-such-page")
    assert run_services([service], tmp_path, record, record.stop, ready_timeout=1) == 1
    (failed,) = [event for event in record.events if event.kind == "failed"]
    assert "did not answer" in failed.detail
    assert service.address in failed.detail
    assert any("404" in line for line in failed.log_lines)


def test_port_of_another_program_is_named_instead_of_taken_for_ours(tmp_path: Path) -> None:
    record = Record(awaited=1)
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        assert free_port(port) != port
        service = replace(web(tmp_path), address=f"http://{HOST}:{port}")
        assert run_services([service], tmp_path, record, record.stop) == 1
    assert [event.kind for event in record.events] == ["starting", "failed"]
    assert f"port {port} is in use" in record.events[-1].detail


def test_program_that_is_not_there_is_a_failure_and_not_a_traceback(tmp_path: Path) -> None:
    record = Record(awaited=99)
    missing = replace(web(tmp_path, "missing"), command=(str(tmp_path / "nothing"),))
    assert run_services([web(tmp_path), missing], tmp_path, record, record.stop) == 1
    assert record.of("failed") == ["missing"]
    assert record.of("stopped") == ["web"]


def test_error_in_the_callers_own_code_still_stops_the_services(tmp_path: Path) -> None:
    def broken(event: ServiceEvent) -> None:
        if event.kind == "ready":
            raise RuntimeError("broken display")

    with pytest.raises(RuntimeError, match="broken display"):
        run_services([web(tmp_path)], tmp_path, broken, threading.Event())
    assert not psutil.Process().children(recursive=True)


def test_environment_reaches_the_service_and_the_last_log_is_kept(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "import os; raise SystemExit(os.environ['GREETING'])")
    for greeting in ("hello", "again"):
        record = Record(awaited=1)
        service = replace(web(tmp_path), command=command, environment={"GREETING": greeting})
        assert run_services([service], tmp_path, record, record.stop) == 1
        assert record.events[1].log_lines == (greeting,)
    assert (tmp_path / "web.log.1").read_text().strip() == "hello"


def test_free_port_is_the_preferred_one_when_nobody_has_it() -> None:
    port = free_port()
    assert free_port(port) == port
