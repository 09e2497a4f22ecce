"""What `--json` prints: documents for a program, whole and in one piece."""

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from e2i_assets.cli.console import out

AsJson = Annotated[bool, typer.Option("--json", help="For a program instead of for the eye.")]


def say(as_json: bool, words: str, **document: Any) -> None:
    """Print what was done, as a document or in words."""
    if as_json:
        print_json(document)
    else:
        out.print(words, highlight=False)


def print_json(document: Any) -> None:
    """Print a document; dataclasses in it become objects, and times ISO 8601."""
    typer.echo(json.dumps(document, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value.isoformat()
