"""Long-lived local services that start together, belong to this process, and end together with all descendants."""

import os
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Literal
from urllib.parse import urljoin, urlsplit

from e2i_assets.adapters.processes.log_tail import last_lines
from e2i_assets.adapters.processes.loopback import is_free
from e2i_assets.adapters.processes.process_groups import end_groups
from e2i_assets.adapters.processes.service_watchdog import Watchdog

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Service:
    """A program to run as a service.

    Attributes:
        name: The name for display and of its log file.
        command: The program and its arguments.
        address: Where it answers, for example ``http://127.0.0.1:3000``; empty if it does not listen.
        ready_path: The path whose successful answer means that it is ready.
        environment: Variables in addition to those of this process.
        is_ready: Returns whether a program without an address is ready.
    """

    name: str
    command: tuple[str, ...]
    address: str
    ready_path: str = "/"
    environment: Mapping[str, str] = field(default_factory=dict)
    is_ready: Callable[[], bool] | None = None


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """A change of a service's state.

    Attributes:
        kind: The new state.
        service: The service.
        log: Its log file.
        detail: For ``failed``: a readable reason.
        log_lines: For ``failed``: the last lines of its log, oldest first.
    """

    kind: Literal["starting", "ready", "failed", "stopped"]
    service: Service
    log: Path
    detail: str = ""
    log_lines: tuple[str, ...] = ()


def run_services(
    services: Sequence[Service],
    log_folder: Path,
    on_event: Callable[[ServiceEvent], None],
    stop: threading.Event,
    ready_timeout: float = 120,
) -> int:
    """Start services, watch them until `stop` is set, and end them with all their descendants.

    Args:
        services: The services; each gets its own session and so its own process group.
        log_folder: The folder for ``<name>.log`` of each service; the previous log becomes ``<name>.log.1``.
        on_event: Called for every change, in this thread.
        stop: Set by the caller, for example on SIGINT or SIGTERM.
        ready_timeout: Seconds after which a service that does not answer has failed.

    Returns:
        0 after ``stop``; 1 if a service failed, in which case the others are stopped as well.
    """
    log_folder.mkdir(parents=True, exist_ok=True)
    running: list[_Running] = []
    with Watchdog(log_folder / "watchdog.log") as watchdog:
        try:
            for service in services:
                log = log_folder / f"{service.name}.log"
                on_event(ServiceEvent("starting", service, log))
                started = _started(service, log)
                if isinstance(started, str):
                    on_event(ServiceEvent("failed", service, log, started))
                    return 1
                running.append(started)
                watchdog.watch(started.process.pid)
            return _watched(running, on_event, stop, ready_timeout)
        finally:
            end_groups([each.process.pid for each in running], _GRACE_SECONDS)
            for each in running:
                each.process.wait()
                on_event(ServiceEvent("stopped", each.service, each.log))
            watchdog.dismiss()


@dataclass(slots=True)
class _Running:
    service: Service
    log: Path
    process: "subprocess.Popen[bytes]"
    ready: bool = False


def _started(service: Service, log: Path) -> _Running | str:
    port = urlsplit(service.address).port
    if port is not None and not is_free(port):
        return f"port {port} is in use by another program; stop that program, or choose another port"
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                service.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **service.environment},
                start_new_session=True,
            )
        except OSError as error:
            return f"it could not be started: {error}"
    return _Running(service, log, process)


def _watched(
    running: Sequence[_Running], on_event: Callable[[ServiceEvent], None], stop: threading.Event, ready_timeout: float
) -> int:
    deadline = time.monotonic() + ready_timeout
    while not stop.wait(_POLL_SECONDS):
        for each in running:
            if problem := _problem(each, time.monotonic() > deadline, ready_timeout):
                on_event(ServiceEvent("failed", each.service, each.log, problem, last_lines(each.log)))
                return 1
            if not each.ready and _answers(each.service):
                each.ready = True
                on_event(ServiceEvent("ready", each.service, each.log))
    return 0


def _problem(each: _Running, late: bool, ready_timeout: float) -> str:
    if (code := each.process.poll()) is not None:
        return f"it ended with exit status {code}"
    if late and not each.ready:
        where = f"answer on {each.service.address}" if each.service.address else "become ready"
        return f"it did not {where} within {ready_timeout:g} seconds"
    return ""


def _answers(service: Service) -> bool:
    if service.is_ready is not None:
        return service.is_ready()
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(urljoin(service.address, service.ready_path), timeout=2):
            return True
    except (OSError, HTTPException):  # refused, timed out, cut off, or an HTTP error: not ready yet
        return False
