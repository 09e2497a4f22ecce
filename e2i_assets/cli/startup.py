"""The output of `e2i up` while its services start, run and stop."""

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.markup import escape

from e2i_assets.adapters.processes.services import Service, ServiceEvent
from e2i_assets.cli.console import err, out

_TITLES = {
    "dagster-webserver": "Dagster",
    "dagster-daemon": "Dagster's daemon",
    "mlflow": "MLflow",
    "optuna-dashboard": "Optuna dashboard",
}
_SLOW_SECONDS = 20.0


class Startup:
    """Prints the address of each service when it is ready, and regularly the services that are still starting.

    Attributes:
        awaited: Names of the services that are not ready yet.
    """

    def __init__(self, services: Sequence[Service]) -> None:
        self._began = time.monotonic()
        self.awaited = {service.name for service in services}
        self._over = threading.Event()
        self._stopping = False

    def __enter__(self) -> Self:
        out.print(f"Starting {', '.join(_TITLES[name] for name in sorted(self.awaited))} ...", highlight=False)
        threading.Thread(target=self._report_waiting, daemon=True, name="startup-progress").start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()

    def report(self, event: ServiceEvent) -> None:
        """Print an event of a service."""
        title = _TITLES[event.service.name]
        if event.kind == "ready":
            self.awaited.discard(event.service.name)
            where = event.service.address or "running"
            out.print(f"[green]{title:<18}[/]{where} [dim]({self._seconds()} s)[/]", highlight=False)
            if not self.awaited:
                self._over.set()
                out.print("All services are ready. Ctrl-C stops everything.")
        elif event.kind == "failed":
            self._over.set()
            err.print(f"[bold red]{title} failed:[/] {escape(event.detail)}", highlight=False)
            for line in event.log_lines:
                err.print(f"  {escape(line)}", highlight=False)
            err.print(f"The full log is {escape(str(event.log))}.", highlight=False)
        elif event.kind == "stopped" and not self._stopping:
            self._stopping = True
            self._over.set()
            out.print("All services are stopped.")

    def _report_waiting(self) -> None:
        while not self._over.wait(_SLOW_SECONDS):
            names = ", ".join(_TITLES[name] for name in sorted(self.awaited))
            out.print(f"[dim]Still starting after {self._seconds()} s: {names}[/]", highlight=False)

    def _seconds(self) -> int:
        return round(time.monotonic() - self._began)
