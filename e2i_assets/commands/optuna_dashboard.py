"""The Optuna dashboard on an address from the environment: its own command takes the password as an argument."""

import os
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

STORAGE_URL = "E2I_OPTUNA_STORAGE_URL"


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: an open page asks every few seconds, for as long as it is open."""


def main() -> None:
    """Serve on the host and the port that the arguments give, until a signal ends this process."""
    from optuna.storages import RDBStorage
    from optuna_dashboard import wsgi

    host, port = sys.argv[1], int(sys.argv[2])
    storage = RDBStorage(os.environ[STORAGE_URL], engine_kwargs={"pool_size": 2, "pool_pre_ping": True})
    with make_server(host, port, wsgi(storage), server_class=_Server, handler_class=_Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
