"""A network to PostgreSQL that can be interrupted: a TCP proxy that stops forwarding without closing connections."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa

from e2i_assets.adapters.processes.loopback import HOST


class Network:
    """Forwards its port to the database; while it is cut, data waits.

    Args:
        url: The database behind it.
    """

    def __init__(self, url: str) -> None:
        self._behind = sa.make_url(url)
        self._flows = threading.Event()
        self._flows.set()
        self._sockets: list[socket.socket] = []
        self._listening = socket.create_server((HOST, 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The URL of the database through this proxy."""
        port = self._listening.getsockname()[1]
        changed = self._behind.set(host=HOST, port=port).difference_update_query(["host"])
        return changed.render_as_string(hide_password=False)

    def cut(self) -> None:
        self._flows.clear()

    def restore(self) -> None:
        self._flows.set()

    def close(self) -> None:
        for one in [self._listening, *self._sockets]:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self.restore()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = self._connected()
                self._sockets += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _connected(self) -> socket.socket:
        folder = self._behind.query.get("host")
        if folder:  # a server that listens on a Unix socket only
            far = socket.socket(socket.AF_UNIX)
            far.connect(f"{folder}/.s.PGSQL.{self._behind.query.get('port', self._behind.port or 5432)}")
            return far
        return socket.create_connection((self._behind.host or HOST, self._behind.port or 5432))

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextmanager
def network(url: str) -> Iterator[Network]:
    """Open a proxy to the database that can be cut."""
    way = Network(url)
    try:
        yield way
    finally:
        way.close()
