"""Trace and span ids derived from the run id, so that spans from different processes form one trace."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

_given: ContextVar[tuple[int, int] | None] = ContextVar("e2i_given_span_identity", default=None)


def trace_id(run_id: str) -> int:
    """Return the 128-bit id of the trace of a run."""
    return int.from_bytes(hashlib.sha256(f"trace:{run_id}".encode()).digest()[:16])


def span_id(run_id: str, key: str) -> int:
    """Return the 64-bit id of the span with this key in a run."""
    return int.from_bytes(hashlib.sha256(f"span:{run_id}:{key}".encode()).digest()[:8])


def parent_context(run_id: str, parent: str | None) -> Context:
    """Return the context for a child of the span with key ``parent``, in whichever process; None for the root."""
    if parent is None:
        return Context()
    where = SpanContext(trace_id(run_id), span_id(run_id, parent), is_remote=True, trace_flags=TraceFlags(1))
    return set_span_in_context(NonRecordingSpan(where), Context())


class GivenIds(RandomIdGenerator):
    """An id generator whose next ids can be set."""

    def generate_trace_id(self) -> int:
        given = _given.get()
        return super().generate_trace_id() if given is None else given[0]

    def generate_span_id(self) -> int:
        given = _given.get()
        return super().generate_span_id() if given is None else given[1]


@contextmanager
def given_ids(run_id: str, key: str) -> Iterator[None]:
    """Give the spans that start in the block the ids of ``key`` in the run."""
    token = _given.set((trace_id(run_id), span_id(run_id, key)))
    try:
        yield
    finally:
        _given.reset(token)
