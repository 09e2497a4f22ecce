"""The console of the command line: output, errors without a traceback, and exit status."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import date
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, NoReturn, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from e2i_assets.adapters.settings import DATABASE_URL
from e2i_assets.core.errors import E2iError

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
P = ParamSpec("P")
R = TypeVar("R")

FAILED = 1
NOT_EVALUATED = 2
INTERRUPTED = 130
_USUAL_WIDTH = 80

out = Console()
err = Console(stderr=True)


def ignore_width_of_zero() -> None:
    """Use the default width if COLUMNS is 0, which some terminals set: rich would print nothing."""
    if not (out.width and err.width):
        del os.environ["COLUMNS"]
        out.width = err.width = _USUAL_WIDTH


def command_name() -> str:
    """Return how this program is called: by its path, unless the shell finds it by its name."""
    called = sys.argv[0]
    return called if Path(called).name == "e2i" and not shutil.which("e2i") else "e2i"


@contextmanager
def json_output(enabled: bool) -> Iterator[None]:
    """Limit the standard output to the JSON that `document` writes, if enabled."""
    before = out.quiet
    out.quiet = enabled or before
    try:
        yield
    finally:
        out.quiet = before


def document(value: object) -> None:
    """Write a value as JSON to the standard output. Dataclasses become objects, times ISO 8601 text."""
    typer.echo(json.dumps(value, indent=2, default=_plain))


def print_result(as_json: bool, text: str, **values: Any) -> None:
    """Print a result, as JSON or as text."""
    if as_json:
        document(values)
    else:
        out.print(text, highlight=False)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def database_errors() -> tuple[type[Exception], ...]:
    """Return the exception types of the database drivers. Their import is slow, so call this only after an error."""
    from e2i_assets.adapters.postgres.errors import DATABASE_ERRORS

    return DATABASE_ERRORS


def readable_error(error: Any) -> E2iError:
    """Return a driver's exception as an error with a readable message."""
    from e2i_assets.adapters.postgres.errors import database_failed

    return database_failed(error, os.environ.get(DATABASE_URL))


def _failed(error: E2iError) -> NoReturn:
    err.print(f"[bold red]Error:[/] {escape(str(error))}", soft_wrap=True)
    raise typer.Exit(FAILED) from None


def with_error_messages(command: Callable[P, R]) -> Callable[P, R]:
    """Print errors as one message and exit with 1. Ctrl-C exits with 130."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except E2iError as error:
            return _failed(error)
        except database_errors() as error:
            return _failed(readable_error(error))
        except KeyboardInterrupt:
            err.print("\nStopped. Finished work is saved: run the same command to resume.")
            raise typer.Exit(INTERRUPTED) from None

    return run
