"""Patience with what may heal: the step is tried again, later each time. Anything else fails at once."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import dagster as dg

from e2i_assets.adapters.transient_errors import is_transient

MOST_RETRIES = 4
_FIRST_WAIT_SECONDS = 5


def wait_seconds(retry: int) -> int:
    """Return how long to wait before a retry, counted from 0: 5, 20, 80 and 320 seconds, seven minutes in all."""
    return int(_FIRST_WAIT_SECONDS * 4**retry)


def with_retries(compute: Callable[..., object]) -> Callable[..., object]:
    """Ask Dagster for another try of an asset when what failed may heal."""

    @wraps(compute)
    def tried(context: dg.AssetExecutionContext, *args: Any, **inputs: Any) -> object:
        try:
            return compute(context, *args, **inputs)
        except Exception as error:
            if not is_transient(error):
                raise
            wait = wait_seconds(min(context.op_execution_context.retry_number, MOST_RETRIES))
            context.log.warning(f"{type(error).__name__}, which may heal: tried again in {wait} s. {error}")
            raise dg.RetryRequested(max_retries=MOST_RETRIES, seconds_to_wait=wait) from error

    return tried
