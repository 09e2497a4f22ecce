"""Dagster's webserver with a doorman: its own answers any page that is open in a browser of this machine."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.server import database
from e2i_assets.adapters.repositories.experiments import ExperimentRepository
from e2i_assets.adapters.settings import current_settings
from e2i_assets.cli.origin_guard import lower_case, same_origin

if TYPE_CHECKING:
    import dagster as dg

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
_READS = ("GET", "HEAD", "OPTIONS")


class OriginGuard:
    """An ASGI application before another one: it refuses what `same_origin` refuses, before Dagster sees it."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app
        self._pages = same_origin()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] in ("http", "websocket") and (why := self._refusal(scope)):
            for message in _refused(why) if scope["type"] == "http" else ({"type": "websocket.close", "code": 1008},):
                await send(message)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> str:
        headers = lower_case(scope["headers"])
        if scope["type"] == "websocket":  # one can carry a mutation
            return self._pages.refusal(headers, changes=True)
        reads, graphql = scope["method"] in _READS, scope["path"].rstrip("/").endswith("graphql")
        if reads and graphql and scope["query_string"]:
            # Dagster takes a mutation from an address, too, and an image on a page is one without an origin.
            headers.setdefault("sec-fetch-site", "unknown")
        return self._pages.refusal(headers, changes=graphql or not reads)


def _refused(why: str) -> tuple[dict[str, Any], ...]:
    head = {"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain; charset=utf-8")]}
    return head, {"type": "http.response.body", "body": why.encode()}


def add_partitions(instance: "dg.DagsterInstance", database: Database) -> None:
    """Make a partition of every experiment that is in use; those that are there already stay as they are."""
    from e2i_assets.defs.partitions import EXPERIMENTS

    names = [row.experiment_name for row in ExperimentRepository(database).list()]
    instance.add_dynamic_partitions(EXPERIMENTS, names)


def main() -> None:
    """Be `dagster-webserver`, with the same arguments, on an instance that has every experiment as a partition."""
    import dagster as dg
    from dagster_webserver import app, cli
    from dagster_webserver.webserver import DagsterWebserver

    class Guarded(DagsterWebserver[Any, Any]):
        def create_asgi_app(self, **kwargs: Any) -> Any:
            return OriginGuard(super().create_asgi_app(**kwargs))

    with dg.DagsterInstance.get() as instance:
        add_partitions(instance, database(current_settings()))
    # The command line knows no other way to another server than this name, where it looks its own up.
    app.DagsterWebserver = Guarded  # type: ignore[attr-defined]
    cli.cli(auto_envvar_prefix="DAGSTER_WEBSERVER")


if __name__ == "__main__":
    main()
