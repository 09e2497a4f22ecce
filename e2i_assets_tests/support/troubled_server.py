"""A faulty server on loopback: gone, answering with errors, slow by half a minute, or healthy in health checks only."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Trouble = Literal["gone", "errors", "refuses", "bad gateway", "slow", "looks well", "hangs up"]
HALF_A_MINUTE = 30.0
_STATUS = {"refuses": 401, "bad gateway": 502}


@contextmanager
def troubled(trouble: Trouble) -> Iterator[str]:
    """Run the faulty server, and return its URL."""
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            well = trouble in ("looks well", "hangs up") and self.path.endswith("/health")
            if trouble in ("slow", "looks well") and not well:
                released.wait(HALF_A_MINUTE)
            if trouble == "hangs up" and not well:
                return
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200 if well else _STATUS.get(trouble, 500))
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Write nothing to the terminal."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Ignore a client that disconnects: the tests expect this."""

    if trouble == "gone":
        yield "http://127.0.0.1:9"  # no unprivileged process listens below 1024
        return
    with Quiet(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}"
        finally:
            released.set()
            listening.shutdown()
            thread.join()
