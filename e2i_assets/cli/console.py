"""How the command line speaks: one console, errors without a traceback, and exit codes that mean something."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import date
from functools import wraps
from typing import Annotated, Any, NoReturn, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from e2i_assets.adapters.settings import DATABASE_URL
from e2i_assets.core.errors import E2iError

AsJson = Annotated[bool, typer.Option("--json", help="For a program instead of for the eye.")]
P = ParamSpec("P")
R = TypeVar("R")

FAILED = 1
NOT_EVALUATED = 2
INTERRUPTED = 130
_USUAL_WIDTH = 80

out = Console()
err = Console(stderr=True)


def ignore_width_of_zero() -> None:
    """Take the usual width where COLUMNS is 0, as some terminals say: rich would print nothing at all."""
    if not (out.width and err.width):
        del os.environ["COLUMNS"]
        out.width = err.width = _USUAL_WIDTH


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
    """Write a value as JSON to the standard output; dataclasses in it become objects, and times ISO 8601."""
    typer.echo(json.dumps(value, indent=2, default=_plain))


def say(as_json: bool, words: str, **values: Any) -> None:
    """Print what was done, as a document or in words."""
    if as_json:
        document(values)
    else:
        out.print(words, highlight=False)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def database_errors() -> tuple[type[Exception], ...]:
    """Return what the drivers raise; asked only when something was raised, as their import takes its time."""
    from e2i_assets.adapters.postgres.trouble import DATABASE_ERRORS

    return DATABASE_ERRORS


def in_words(error: Any) -> E2iError:
    """Return what a driver raised as an error that says to a person what is wrong."""
    from e2i_assets.adapters.postgres.trouble import database_failed

    return database_failed(error, os.environ.get(DATABASE_URL))


def _failed(error: E2iError) -> NoReturn:
    err.print(f"[bold red]Error:[/] {escape(str(error))}", soft_wrap=True)
    raise typer.Exit(FAILED) from None


def speaking(command: Callable[P, R]) -> Callable[P, R]:
    """Print our errors and the database's as one message and leave with 1; Ctrl-C leaves with 130: nothing is lost."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except E2iError as error:
            return _failed(error)
        except database_errors() as error:
            return _failed(in_words(error))
        except KeyboardInterrupt:
            err.print("\nStopped. What was finished is kept: the same command goes on from there.")
            raise typer.Exit(INTERRUPTED) from None

    return run
