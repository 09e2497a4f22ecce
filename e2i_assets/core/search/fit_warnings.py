"""What the libraries warn about while a trial is fitted, kept with that trial, also when several run at once.

`warnings.catch_warnings` changes what is global to the process, so it is entered once for a whole study, and what
arrives is sorted by the thread that it arrives in.
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
    """Send every warning of this process to the trial whose thread it comes from, and show the others as before."""
    shown = warnings.showwarning

    def keep(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        found = _noted.get()
        if found is None:
            shown(message, category, *where, **more)
        else:
            found.add(f"{category.__name__}: {message}"[:_LONGEST])

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = keep
        yield


@contextmanager
def noted() -> Iterator[set[str]]:
    """Return the set that the warnings of this thread go into, while `collecting`."""
    found: set[str] = set()
    token = _noted.set(found)
    try:
        yield found
    finally:
        _noted.reset(token)


def keep(notes: Iterable[str]) -> None:
    """Note what was warned about elsewhere, for the trial of this thread."""
    found = _noted.get()
    if found is not None:
        found.update(notes)
