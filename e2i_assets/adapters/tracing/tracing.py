"""OpenTelemetry spans of a training, off unless an endpoint is configured. Best effort: it never fails a training.

`span_attributes` defines the names of the spans, and `span_identity` how processes share a trace.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from e2i_assets.adapters.addresses import without_userinfo
from e2i_assets.adapters.tracing.mlflow_link import MlflowLink
from e2i_assets.adapters.tracing.settings import TracingSettings
from e2i_assets.adapters.tracing.span_attributes import TRAINING, span_values
from e2i_assets.adapters.tracing.span_export import SpanCount, span_provider

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

# What a dead or slow receiver costs a run at its end at most; until then, spans are sent in the background.
SHUTDOWN_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class TracingResult:
    """The result of sending the spans of a run."""

    status: Literal["sent", "unavailable", "disabled"]
    sent: int = 0
    lost: int = 0
    reason: str | None = None


@dataclass(slots=True)
class TracedSpan:
    """A span that is being recorded, or a no-op if tracing is off."""

    recorded: "Span | None" = None
    has_failed: bool = False

    def set(self, attributes: Mapping[str, object]) -> None:
        """Add attributes."""
        if self.recorded is not None:
            self.recorded.set_attributes(span_values(attributes))

    def fail(self, error_type: str, message: str) -> None:
        """Mark the span as an error although no exception leaves its block."""
        if self.recorded is not None:
            _mark_as(self.recorded, (error_type, message))
            self.has_failed = True


class Tracing:
    """The spans of one run and their exporter; call `shutdown` at the end of the run.

    Example:
        >>> tracing = Tracing(TracingSettings(endpoint="http://localhost:4318"))
        >>> with tracing.span(TRAINING, run_id="r1", parent=None) as training:
        ...     with tracing.span(SEARCH, run_id="r1") as search:
        ...         search.set({"best_value": 0.91})
        >>> tracing.shutdown()
    """

    def __init__(self, settings: TracingSettings) -> None:
        self._settings = settings
        self._count = SpanCount()
        self._link = MlflowLink()
        self._provider = span_provider(settings, self._count, self._link) if settings.url else None
        self._keys: set[str] = set()

    @property
    def is_on(self) -> bool:
        """Whether a receiver is configured."""
        return self._provider is not None

    def has(self, key: str) -> bool:
        """Return whether a span with this key has ended in this process."""
        return key in self._keys

    def belongs_to(self, mlflow_run_id: str) -> None:
        """Link the trace to an MLflow run; for an MLflow receiver."""
        self._link.run_id = mlflow_run_id

    @contextmanager
    def span(
        self,
        name: str,
        *,
        run_id: str,
        attributes: Mapping[str, object] | None = None,
        parent: str | None = TRAINING,
        key: str | None = None,
        started_at: datetime | None = None,
    ) -> Iterator[TracedSpan]:
        """Record a span around the block; an exception marks it as an error and is re-raised.

        All spans of a run form one trace. A parent is given by its key because another process may record it, before or
        after this one.

        Args:
            name: The name that the receiver shows.
            run_id: Dagster's run id.
            attributes: Initial attributes.
            parent: Key of the parent span, None for the root of the trace.
            key: Unique in the run; defaults to the name. Required for names that occur more than once, as with trials.
            started_at: Start time, if it is earlier than the start of the block.
        """
        if self._provider is None:
            yield TracedSpan()
            return
        span = _started(self._provider, name, run_id, key or name, parent, started_at)
        span.set_attributes(span_values(attributes or {}))
        try:
            traced = TracedSpan(span)
            yield traced
            if not traced.has_failed:
                _mark(span)
        except BaseException as error:
            _mark(span, error)
            raise
        finally:
            span.end()
            self._ended(key or name)

    def record(
        self,
        name: str,
        *,
        run_id: str,
        started_at: datetime,
        ended_at: datetime,
        parent: str | None,
        key: str | None = None,
        attributes: Mapping[str, object] | None = None,
        error: tuple[str, str] | None = None,
    ) -> None:
        """Record a span that has already ended.

        Args:
            name, run_id, parent, key, attributes: As in `span`.
            started_at, ended_at: Its start and end.
            error: Type and message of the error that ended it, None for success.
        """
        if self._provider is None:
            return
        span = _started(self._provider, name, run_id, key or name, parent, started_at)
        span.set_attributes(span_values(attributes or {}))
        _mark_as(span, error, _nanoseconds(ended_at))
        span.end(_nanoseconds(ended_at))
        self._ended(key or name)

    def is_sampled(self, run_id: str, key: str, has_failed: bool) -> bool:
        """Return whether this trial has a span: all failed trials, and the configured share of the others.

        The result depends on the run and the key only, so it is the same in every process.
        """
        if not self.is_on or self._settings.trials <= 0:
            return False
        from e2i_assets.adapters.tracing.span_identity import span_id

        return has_failed or span_id(run_id, key) / 2**64 < self._settings.trials

    def _ended(self, key: str) -> None:
        self._keys.add(key)
        self._count.add(ended=1)

    def shutdown(self, seconds: float = SHUTDOWN_SECONDS) -> TracingResult:
        """Send the remaining spans for at most `seconds`, and return the result."""
        if self._provider is None:
            return TracingResult("disabled", reason="no tracing endpoint is configured")
        # In a thread, with a timeout: the exporter's own shutdown waits for its current request.
        closing = threading.Thread(target=self._provider.shutdown, name="e2i-tracing-shutdown", daemon=True)
        closing.start()
        closing.join(seconds)
        sent, lost = self._count.sent, self._count.ended - self._count.sent
        if not lost:
            return TracingResult("sent", sent)
        url = str(self._settings.url)
        shown = without_userinfo(url, url)  # the reason becomes a tag of the run and a log line
        reason = f"{lost} of {sent + lost} spans were not received by {shown} within {seconds:g} s"
        return TracingResult("unavailable", sent, lost, reason)


def _started(
    provider: "TracerProvider", name: str, run_id: str, key: str, parent: str | None, started_at: datetime | None
) -> "Span":
    from e2i_assets.adapters.tracing.span_identity import given_ids, parent_context

    began = None if started_at is None else _nanoseconds(started_at)
    with given_ids(run_id, key):
        return provider.get_tracer("e2i_assets").start_span(name, parent_context(run_id, parent), start_time=began)


def _nanoseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000) * 1000


def _mark(span: "Span", error: BaseException | None = None) -> None:
    """Set the final status of a span; of an exception, record all standard attributes."""
    if error is not None:
        span.record_exception(error)
    _mark_as(span, None if error is None else (type(error).__qualname__, str(error)))


def _mark_as(span: "Span", error: tuple[str, str] | None, at: int | None = None) -> None:
    """Set the final status of a span from the type and message of the error, if any."""
    from opentelemetry.trace import StatusCode

    if error is None:
        span.set_status(StatusCode.OK)
        return
    kind, message = error
    if at is not None:
        span.add_event("exception", {"exception.type": kind, "exception.message": message}, at)
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR, f"{kind}: {message}")
