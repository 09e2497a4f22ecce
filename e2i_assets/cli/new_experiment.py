"""`e2i experiment new`: looks at the rows of a file, and writes an experiment file for them."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from e2i_assets.adapters.current_user import owner as current_owner
from e2i_assets.cli.console import FAILED, err, out
from e2i_assets.cli.open_project import settings, shown
from e2i_assets.core.errors import E2iError, ExperimentInvalid
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.core.experiments.template import Draft, template
from e2i_assets.core.metrics import ProblemType
from e2i_assets.services import suggest

if TYPE_CHECKING:
    from e2i_assets.adapters.settings import Settings
    from e2i_assets.core.experiments.source_section import Source

_LONGEST_LIST = 30


def new(
    name: str,
    algorithm: str,
    problem: ProblemType | None,
    source: "Source | None",
    target: str | None,
    owner: str | None,
) -> bool:
    """Write an experiment file; return whether it can run as it is."""
    found = settings()
    path = found.experiments / f"{name}.yaml"
    if path.exists():
        raise E2iError(f"{shown(path, found.root)} exists already: choose another name or edit the file")
    known = Draft(name, owner or current_owner(found.environment, found.root), algorithm, source, target=target)
    known = replace(known, problem_type=problem)
    if is_readable := source is not None and _is_there(found, source):
        known = _looked_at(found, known)
    text = template(known)
    _require_valid(text, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise E2iError(f"{shown(path, found.root)} exists already: choose another name or edit the file") from None
    out.print(f"Wrote [green]{shown(path, found.root)}[/].", highlight=False)
    return _reported(found, known, is_readable)


def _is_there(found: "Settings", source: "Source") -> bool:
    if source.kind == "sql" or (found.root / source.place).exists():
        return True
    err.print(
        f"[yellow]The project folder has no {escape(source.place)} yet:[/] the experiment reads its rows from it."
    )
    return False


def _looked_at(found: "Settings", known: Draft) -> Draft:
    """Look at the rows, show their columns and complete the draft; on a terminal, ask for the target."""
    assert known.source is not None
    seen = suggest.look(found, known.source)
    out.print(_table(seen), highlight=False)
    target = known.target
    if target is None:
        target = seen.likely_target()
        if sys.stdin.isatty() and sys.stdout.isatty():
            target = typer.prompt("Which column is to be predicted?", default=target)
    done = suggest.draft(seen, target, known.problem_type, known)
    kind = str(done.problem_type).replace("_", " ")
    positive = f", positive class {escape(done.positive_label)}" if done.positive_label is not None else ""
    out.print(f"Target: [bold]{escape(target)}[/], a {kind}{positive}; metric {done.metric}.", highlight=False)
    for what, columns in (("id", done.id), ("group", [done.group] if done.group else [])):
        if columns:
            out.print(f"{what}: {escape(', '.join(columns))}", highlight=False)
    if done.order:
        out.print(f"order: {escape(' < '.join(done.order))}", highlight=False)
    for column, form in done.dates.items():
        out.print(f"{escape(column)}: dates in the form {escape(form)}", highlight=False)
    for column, words in done.missing.items():
        out.print(
            f"{escape(column)}: {escape(', '.join(words))} among numbers or dates: read as missing", highlight=False
        )
    for column, why in done.drop.items():
        out.print(f"[yellow]{escape(column)} is dropped:[/] it {escape(why)}", highlight=False)
    return done


def _table(seen: suggest.LookedAt) -> Table:
    table = Table(title=f"{seen.rows:,} rows", title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    for heading in ("column", "type", "missing", "distinct", "example"):
        table.add_column(heading, justify="right" if heading in ("missing", "distinct") else "left", overflow="fold")
    profiles = seen.profiles()
    for one in profiles[:_LONGEST_LIST]:
        table.add_row(escape(one.column), one.type, str(one.missing), str(one.distinct), escape(one.example))
    if len(profiles) > _LONGEST_LIST:
        table.add_row(f"... and {len(profiles) - _LONGEST_LIST} more", "", "", "", "")
    return table


def _require_valid(text: str, path: Path) -> None:
    """Check the file: nothing but blanks may be wrong with it."""
    try:
        parse_experiment(text, path.name)
    except ExperimentInvalid as mistakes:
        if wrong := [one for one in mistakes.violations if not one.rule.startswith("is filled in yet")]:
            raise ExperimentInvalid(mistakes.subject, wrong) from None


def _reported(found: "Settings", known: Draft, is_readable: bool) -> bool:
    """Print what the reading of the rows says about the file, and the next commands."""
    from e2i_assets.services.validate import verdicts

    (verdict,) = verdicts(found, [known.name], with_rows=is_readable)
    for column, why in verdict.unused.items():
        out.print(f"[yellow]{escape(column)} is not used as a feature[/], {escape(why)}", highlight=False)
    for note in verdict.notes:
        out.print(f"[yellow]note[/] {escape(note)}", highlight=False)
    if verdict.mistakes is not None:
        err.print(f"[yellow]It is not complete yet:[/] {escape(verdict.mistakes)}", highlight=False)
    out.print(
        f"Look at it, then:\n  e2i experiment validate {known.name} --data\n  e2i run {known.name}", highlight=False
    )
    return verdict.mistakes is None


def run(name: str, is_complete: bool) -> None:
    """Run a new experiment, unless it is not complete."""
    from e2i_assets.cli import run as running

    if not is_complete:
        raise typer.Exit(FAILED)
    running.run([name], parallel=0)
