"""Long-lived programs on loopback that start together, are owned by us, and end together with nothing left behind."""

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
_PATIENCE_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Service:
    """One program to run.

    Attributes:
        name: For people and for the name of its log.
        command: The program and its arguments.
        address: Where it will answer, for example ``http://127.0.0.1:3000``; empty for one that answers nowhere.
        ready_path: The path whose successful answer means that it is ready.
        environment: Variables on top of ours.
        is_ready: Says so for a program without an address.
    """

    name: str
    command: tuple[str, ...]
    address: str
    ready_path: str = "/"
    environment: Mapping[str, str] = field(default_factory=dict)
    is_ready: Callable[[], bool] | None = None


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """Something that happened to a service.

    Attributes:
        kind: What.
        service: To which.
        log: Its log file.
        detail: For ``failed``: why, in words.
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
    """Start services, watch them until told to stop, and end them with all their descendants.

    Args:
        services: What to run; each gets a session, and so a process group, of its own.
        log_folder: Gets ``<name>.log`` for each; the one of the last time becomes ``<name>.log.1``.
        on_event: Called for every change, in this thread.
        stop: Set by the caller, for example on SIGINT or SIGTERM.
        ready_timeout: Seconds after which a service that does not answer counts as failed.

    Returns:
        0 after ``stop``, 1 when a service failed: the others are stopped then as well.
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
            end_groups([each.process.pid for each in running], _PATIENCE_SECONDS)
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
        return f"port {port} is in use by another program; stop that, or choose another port"
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
        return f"it ended by itself with exit status {code}"
    if late and not each.ready:
        where = f"answer on {each.service.address}" if each.service.address else "get to work"
        return f"it did not {where} within {ready_timeout:g} seconds"
    return ""


def _answers(service: Service) -> bool:
    if service.is_ready is not None:
        return service.is_ready()
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(urljoin(service.address, service.ready_path), timeout=2):
            return True
    except (OSError, HTTPException):  # refused, timed out, cut off, or an HTTP error: not yet
        return False
