"""Collection of the warnings that libraries raise while a trial is fitted, per trial, also when trials run in threads.

`warnings.catch_warnings` changes state that is global to the process. It is therefore entered once for a whole study,
and each warning is assigned to the trial of the thread that raised it.
"""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_LONGEST = 200
_noted: ContextVar[set[str] | None] = ContextVar("noted", default=None)


@contextmanager
def collecting() -> Iterator[None]:
    """Assign each warning to the trial of the thread that raises it; show warnings outside a trial as usual."""
    shown = warnings.showwarning

    def record(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        found = _noted.get()
        if found is None:
            shown(message, category, *where, **more)
        else:
            found.add(f"{category.__name__}: {message}"[:_LONGEST])

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = record
        yield


@contextmanager
def noted() -> Iterator[set[str]]:
    """Yield the set that receives the warnings of this thread while `collecting` is active."""
    found: set[str] = set()
    token = _noted.set(found)
    try:
        yield found
    finally:
        _noted.reset(token)


def keep(notes: Iterable[str]) -> None:
    """Add warnings that were raised in another process to the trial of this thread."""
    found = _noted.get()
    if found is not None:
        found.update(notes)
