"""How the command line speaks: one console, errors without a traceback, and exit codes that mean something."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from e2i_assets.core.errors import E2iError

P = ParamSpec("P")
R = TypeVar("R")

FAILED = 1
COULD_NOT_LOOK = 2
INTERRUPTED = 130

out = Console()
err = Console(stderr=True)


@contextmanager
def for_a_program(asked: bool) -> Iterator[None]:
    """Have the standard output say nothing but the document that is written with `document`, when that is asked for."""
    before = out.quiet
    out.quiet = asked or before
    try:
        yield
    finally:
        out.quiet = before


def document(value: object) -> None:
    """Write a value as JSON to the standard output."""
    typer.echo(json.dumps(value, indent=2, default=str))


def speaking(command: Callable[P, R]) -> Callable[P, R]:
    """Print our errors as one message and leave with 1; Ctrl-C leaves with 130 and says that nothing is lost."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except E2iError as error:
            err.print(f"[bold red]Error:[/] {escape(str(error))}", soft_wrap=True)
            raise typer.Exit(FAILED) from None
        except KeyboardInterrupt:
            err.print("\nStopped. What was finished is kept: the same command goes on from there.")
            raise typer.Exit(INTERRUPTED) from None

    return run
