"""Dagster's webserver with a check of the request origin: by itself it answers any web page open in a local browser."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.server import database
from e2i_assets.adapters.repositories.experiments import ExperimentRepository
from e2i_assets.adapters.settings import Settings, current_settings
from e2i_assets.cli.origin_guard import NO_FRAMES, lower_case, same_origin

if TYPE_CHECKING:
    import dagster as dg

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
_READS = ("GET", "HEAD", "OPTIONS")


class OriginGuard:
    """ASGI middleware that rejects the requests that `same_origin` does not allow, and frames of other sites."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app
        self._pages = same_origin()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reject a request or forward it."""
        if scope["type"] in ("http", "websocket") and (why := self._refusal(scope)):
            for message in _refused(why) if scope["type"] == "http" else ({"type": "websocket.close", "code": 1008},):
                await send(message)
            return

        async def without_frames(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                name, value = NO_FRAMES
                message["headers"] = [*message.get("headers", ()), (name.lower().encode(), value.encode())]
            await send(message)

        await self._app(scope, receive, without_frames)

    def _refusal(self, scope: Scope) -> str:
        headers = lower_case(scope["headers"])
        if scope["type"] == "websocket":  # it can carry a mutation
            return self._pages.refusal(headers, changes=True)
        reads, graphql = scope["method"] in _READS, scope["path"].rstrip("/").endswith("graphql")
        if reads and graphql and scope["query_string"]:
            # Dagster accepts a mutation in the URL, and an <img> element requests a URL without an Origin header.
            headers.setdefault("sec-fetch-site", "unknown")
        return self._pages.refusal(headers, changes=graphql or not reads)


def _refused(why: str) -> tuple[dict[str, Any], ...]:
    head = {"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain; charset=utf-8")]}
    return head, {"type": "http.response.body", "body": why.encode()}


def add_partitions(instance: "dg.DagsterInstance", database: Database, settings: Settings) -> None:
    """Add a partition for each active experiment that is not a component; existing partitions are unchanged."""
    from e2i_assets.defs.namespace import namespace_of

    names = [row.experiment_name for row in ExperimentRepository(database).watched()]
    instance.add_dynamic_partitions(namespace_of(settings).partition_set, names)


def main() -> None:
    """Run `dagster-webserver` with its usual arguments, on an instance that has all experiments as partitions."""
    from dagster_webserver import app, cli
    from dagster_webserver.webserver import DagsterWebserver

    class Guarded(DagsterWebserver[Any, Any]):
        def create_asgi_app(self, **kwargs: Any) -> Any:
            settings = current_settings()
            add_partitions(self._process_context.instance, database(settings), settings)
            return OriginGuard(super().create_asgi_app(**kwargs))

    # The command line has no option for another server class; it looks the class up under this name.
    app.DagsterWebserver = Guarded  # type: ignore[attr-defined]
    cli.cli(auto_envvar_prefix="DAGSTER_WEBSERVER")


if __name__ == "__main__":
    main()
