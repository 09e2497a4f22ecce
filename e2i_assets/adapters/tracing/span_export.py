"""Export of spans by OTLP over HTTP, in background batches; counts the spans that the receiver confirmed."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from e2i_assets.adapters.library_versions import library_version
from e2i_assets.adapters.tracing.mlflow_link import EXPORT_SECONDS, MlflowLink
from e2i_assets.adapters.tracing.settings import TracingSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter


EXPORT_EVERY_MILLISECONDS = 500


class SpanCount:
    """The number of ended spans, and of those that the receiver confirmed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.ended = 0
        self.sent = 0

    def add(self, ended: int = 0, sent: int = 0) -> None:
        with self._lock:
            self.ended += ended
            self.sent += sent


def span_provider(settings: TracingSettings, count: SpanCount, link: MlflowLink) -> "TracerProvider":
    """Return a separate tracer provider: the global one belongs to the embedding application."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    from e2i_assets.adapters.tracing.span_identity import GivenIds

    provider = TracerProvider(
        sampler=ALWAYS_ON,
        resource=Resource.create(
            {"service.name": settings.service_name, "service.version": library_version("e2i_assets")}
        ),
        # Otherwise an exiting interpreter waits for a dead receiver.
        shutdown_on_exit=False,
        id_generator=GivenIds(),
    )
    # Exported soon after a span has ended, so that little is left at the end of the run.
    exporter = _exporter(settings, count, link)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=EXPORT_EVERY_MILLISECONDS))
    return provider


def _exporter(settings: TracingSettings, count: SpanCount, link: MlflowLink) -> "SpanExporter":
    import requests
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExportResult

    session = requests.Session()

    class CountingExporter(OTLPSpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            if settings.receiver == "mlflow":
                # Requested in the export thread: a server that does not answer does not delay the run.
                try:
                    session.headers.update(link.headers(session, settings))
                except requests.RequestException:
                    return SpanExportResult.FAILURE
            result = super().export(spans)
            if result is SpanExportResult.SUCCESS:
                count.add(sent=len(spans))
            return result

    return CountingExporter(
        endpoint=settings.url, headers=settings.all_headers, timeout=EXPORT_SECONDS, session=session
    )
