"""Serves the Optuna dashboard. The storage URL comes from the environment: the command of Optuna shows its password."""

import os
import sys
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from e2i_assets.cli.origin_guard import NO_FRAMES, same_origin

STORAGE_URL = "E2I_OPTUNA_STORAGE_URL"


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: an open page sends a request every few seconds."""


def guarded(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Return the WSGI application behind the origin guard, which refuses requests of other sites in a browser."""
    pages = same_origin()

    def answer(request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        headers = {
            name[5:].replace("_", "-").lower(): str(value)
            for name, value in request.items()
            if name.startswith("HTTP_")
        }
        if why := pages.refusal(headers, request["REQUEST_METHOD"] not in ("GET", "HEAD", "OPTIONS")):
            start("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
            return [why.encode()]
        return app(request, lambda status, given, *failure: start(status, [*given, NO_FRAMES], *failure))

    return answer


def main() -> None:
    """Serve on the host and port given as arguments, until a signal ends this process."""
    from optuna.storages import RDBStorage

    from e2i_assets.adapters.optuna_storage.natural_values import NaturalValues
    from optuna_dashboard import wsgi

    host, port = sys.argv[1], int(sys.argv[2])
    storage = RDBStorage(os.environ[STORAGE_URL], engine_kwargs={"pool_size": 2, "pool_pre_ping": True})
    app = guarded(wsgi(NaturalValues(storage)))
    with make_server(host, port, app, server_class=_Server, handler_class=_Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
