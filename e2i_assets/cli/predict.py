"""`e2i predict`: scores the rows of a file with the champion of an experiment."""

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rich.markup import escape

from e2i_assets.cli.console import document, json_output, out
from e2i_assets.cli.open_project import opened_project
from e2i_assets.core.errors import E2iError
from e2i_assets.services.predict import Scored, predict_file

# Without a terminal, so that a CI server does not assume that the command hangs.
_SECONDS_BETWEEN_LINES = 30.0
_MOST_SHOWN = 5


def predict(
    name: str, csv: Path | None, parquet: Path | None, to: Path, force: bool, explain: bool, json: bool
) -> None:
    """Score a file, and print what was written and what the model does not know.

    Raises:
        E2iError: Not exactly one file is given, there is no champion, or the rows do not fit it.
    """
    given = {kind: file for kind, file in (("csv", csv), ("parquet", parquet)) if file is not None}
    if len(given) != 1:
        raise E2iError(f"give the new rows of {name} with --csv FILE or --parquet FILE, one of the two")
    ((kind, file),) = given.items()
    if not file.exists():
        raise E2iError(f"{file} does not exist: --{kind} names the file with the new rows")
    with json_output(json):
        project = opened_project()
        with out.status(f"Reading {escape(file.name)} ...") as status:
            last = time.monotonic()

            def on_rows(rows: int) -> None:
                nonlocal last
                status.update(f"{rows:,} rows of {escape(file.name)} scored ...")
                if not out.is_terminal and time.monotonic() - last > _SECONDS_BETWEEN_LINES:
                    last = time.monotonic()
                    out.print(f"{rows:,} rows scored", highlight=False)

            found = predict_file(project, name, kind, file, to, force, explain, on_rows)
        for line in _lines(name, found, to):
            out.print(escape(line), highlight=False)
    if json:
        document(asdict(found))


def _lines(name: str, found: Scored, to: Path) -> Iterator[str]:
    version = f"version {found.lineage.model_version}" if found.lineage.model_version else "not in MLflow"
    yield f"{found.rows:,} rows scored by the champion of {name} ({version}, {found.lineage.model_key[:12]}): {to}"
    if not found.keys:
        yield "The rows have no key (columns.id), so they are numbered in the column row."
    for key in found.keys_missing:
        yield f"{key} identifies a row, and this file does not have it."
    if found.not_used:
        yield f"Not used by the model: {_some(found.not_used)}"
    for column, categories in found.unseen.items():
        most = sorted(categories.items(), key=lambda one: (-one[1], one[0]))
        shown = _some([f"{category!r} ({rows:,})" for category, rows in most])
        yield f"{column}: {sum(categories.values()):,} rows have a category that is new to the model: {shown}"


def _some(names: "tuple[str, ...] | list[str]") -> str:
    rest = len(names) - _MOST_SHOWN
    return ", ".join(names[:_MOST_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
