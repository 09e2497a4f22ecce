"""`e2i compare`: the models of several experiments side by side, on their common test rows."""

from datetime import UTC, datetime
from pathlib import Path

from rich import box
from rich.markup import escape
from rich.table import Table

from e2i_assets.adapters.current_user import current_user
from e2i_assets.cli.console import document, json_output, out
from e2i_assets.cli.open_project import opened_project
from e2i_assets.core.errors import E2iError
from e2i_assets.core.report.comparison import comparison_page, models, segments, sentences
from e2i_assets.core.report.facts import Rows
from e2i_assets.core.report.tables import columns
from e2i_assets.services.compare import compare as compared_models


def compare(names: list[str], metric: str | None, html: Path | None, user: str | None, json: bool) -> None:
    """Compare experiments, print the result, and write it as a page if asked to.

    Raises:
        NotComparable: The experiments differ in their test rows or in their question.
        E2iError: An experiment has no trained model, or the file cannot be written.
    """
    if html is not None and not html.parent.is_dir():
        raise E2iError(f"{html} cannot be written: there is no folder {html.parent}")
    with json_output(json):
        project = opened_project()
        found = compared_models(project, names, user or current_user(project.settings.environment), metric)
        out.print(f"The same {found.test_rows:,} test rows, {found.metric}", highlight=False)
        out.print(_table(models(found)))
        if by_segment := segments(found):
            out.print(f"{found.metric} by segment of the test rows", highlight=False)
            out.print(_table(by_segment))
        if found.differences:
            out.print("What differs", highlight=False)
            out.print(_table([dict(one) for one in found.differences]))
        for sentence in sentences(found):
            out.print(escape(sentence), highlight=False)
        if html is not None:
            html.write_text(comparison_page(found, datetime.now(UTC)), encoding="utf-8")
            out.print(f"Written: {html}", highlight=False)
    if json:
        document(found)


def _table(rows: Rows) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns(rows):
        table.add_column(escape(column), overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row.values()))
    return table
