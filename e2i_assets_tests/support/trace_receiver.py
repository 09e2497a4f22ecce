"""A trace receiver on loopback, which decodes the received requests."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass
class Receiver:
    """The received requests."""

    url: str = ""
    answer: int = 200
    delay: float = 0.0
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    resources: dict[str, Any] = field(default_factory=dict)
    spans: list[Any] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.paths.append(path)
        self.headers.append({name.lower(): value for name, value in headers.items()})
        for part in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.update(values(part.resource.attributes))
            self.spans.extend(span for scope in part.scope_spans for span in scope.spans)

    def called(self, name: str) -> Any:
        (span,) = [span for span in self.spans if span.name == name]
        return span


def values(attributes: Any) -> dict[str, Any]:
    """The attributes of a message as a dictionary."""

    def value(one: Any) -> Any:
        kind = one.WhichOneof("value")
        return [value(item) for item in one.array_value.values] if kind == "array_value" else getattr(one, kind)

    return {attribute.key: value(attribute.value) for attribute in attributes}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.released.wait(receiver.delay)
            receiver.take(self.path, dict(self.headers), body)
            self.send_response(receiver.answer)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Write nothing to the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield receiver
        receiver.released.set()
        server.shutdown()
        thread.join()
