"""A server on loopback that is in trouble: gone, answering 500, slow by half a minute, or well only to who asks."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Trouble = Literal["gone", "errors", "slow", "looks well"]
HALF_A_MINUTE = 30.0


@contextmanager
def troubled(trouble: Trouble) -> Iterator[str]:
    """Serve so, and give the address."""
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            well = trouble == "looks well" and self.path.endswith("/health")
            if trouble in ("slow", "looks well") and not well:
                released.wait(HALF_A_MINUTE)
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200 if well else 500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on the terminal."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that waits no longer is what is tested."""

    if trouble == "gone":
        yield "http://127.0.0.1:9"  # nothing listens below 1024 that is not there for all to see
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
