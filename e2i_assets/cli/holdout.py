"""`e2i holdout`: evaluates the stored model on the unused holdout rows and records the access with its reason."""

from dataclasses import asdict
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from e2i_assets.adapters.current_user import current_user
from e2i_assets.cli.console import document, json_output, out
from e2i_assets.cli.open_project import opened_project
from e2i_assets.core.errors import E2iError
from e2i_assets.core.evaluation.measures import metric_text
from e2i_assets.services.open_holdout import OpenedHoldout, open_holdout


def holdout(name: str, why: str, user: str | None, json: bool = False) -> None:
    """Evaluate the stored model of an experiment on its holdout rows and print the metrics.

    Args:
        name: Name of the experiment.
        why: The reason.
        user: Name to record; by default E2I_USER or the user account.
        json: Print a document instead of a table.

    Raises:
        E2iError: The reason is empty, or there is no trained model.
    """
    if not why.strip():
        raise E2iError(f'opening the holdout of {name} requires a reason: e2i holdout {name} --why "..."')
    with json_output(json):
        project = opened_project()
        opened = open_holdout(project, name, user or current_user(project.settings.environment), why)
        out.print(_table(opened))
        _print_access(name, opened)
    if json:
        document(_as_document(opened))


def _as_document(opened: OpenedHoldout) -> dict[str, Any]:
    return {
        **asdict(opened.opening),
        "test_metrics": dict(opened.test_metrics),
        "earlier": [
            {"opened_by": one.opened_by, "reason": one.reason, "opened_at": one.opened_at} for one in opened.earlier
        ],
    }


def _table(opened: OpenedHoldout) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("metric")
    for column in ("test", "holdout", "95 % on the holdout"):
        table.add_column(column, justify="right")
    for metric, value in opened.report.metrics.items():
        interval = opened.intervals.get(metric)
        between = f"{metric_text(interval.low)} to {metric_text(interval.high)}" if interval else ""
        test = opened.test_metrics.get(metric)
        table.add_row(metric, "-" if test is None else metric_text(test), metric_text(value), between)
    return table


def _print_access(name: str, opened: OpenedHoldout) -> None:
    one = opened.opening
    out.print(f"{one.holdout_rows} holdout rows of {name}, opened by {escape(one.opened_by)}: {escape(one.reason)}")
    if not opened.earlier:
        out.print("This is the first access. The rows are now known: later tuning is no longer independent of them.")
        return
    out.print(f"[yellow]This is access number {one.opening}: the rows are no longer unseen.[/]")
    for earlier in opened.earlier:
        when = earlier.opened_at.astimezone()
        out.print(f"  {when:%Y-%m-%d %H:%M} {escape(earlier.opened_by)}: {escape(earlier.reason)}", highlight=False)
