"""The part of `e2i memory` that changes something: forgetting, taking along, and the starter memory."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from e2i_assets.cli.console import AsJson, document, out, say, speaking
from e2i_assets.core.errors import E2iError

if TYPE_CHECKING:
    from e2i_assets.adapters.postgres.database import Database

app = typer.Typer()
starter = typer.Typer(no_args_is_help=True, help="The patterns that came with the product.")


@app.command()
@speaking
def prune(
    older_than: Annotated[int, typer.Option(help="Days; younger patterns stay.", min=0)] = 90,
    max_uses: Annotated[int, typer.Option(help="Patterns that were used more often stay.", min=0)] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing: the default.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Forget them.")] = False,
    json: AsJson = False,
) -> None:
    """Forget old patterns that nobody used, and of several of one problem all but the best.

    Without --yes it only shows what would go. The starter memory goes as a
    whole: e2i memory starter remove.

    [bold]Examples[/]

      e2i memory prune
      e2i memory prune --older-than 365 --max-uses 2 --yes
    """
    from e2i_assets.adapters.repositories.pattern_maintenance import PatternMaintenance
    from e2i_assets.cli.memory_tables import forgotten_table

    if dry_run and yes:
        raise E2iError("--dry-run changes nothing and --yes forgets: give one of them")
    found = PatternMaintenance(_database()).forget(older_than, max_uses, dry_run=not yes)
    if json:
        document([asdict(one) for one in found])
    elif not found:
        out.print("There is nothing to forget.")
    else:
        out.print(forgotten_table(found))
        told = f"{len(found)} patterns {'are forgotten' if yes else 'would be forgotten: --yes does it'}."
        out.print(told, highlight=False)


@app.command("export")
@speaking
def export_(
    file: Annotated[Path, typer.Argument(help="A line of JSON for each pattern; compressed when it ends in .gz.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    json: AsJson = False,
) -> None:
    """Write the patterns to a file, for another PostgreSQL or as a copy; the starter memory is left out.

    [bold]Example[/]

      e2i memory export memory.jsonl.gz
    """
    from e2i_assets.services.memory_files.pattern_files import write_patterns

    count = write_patterns(_database(), file, force)
    say(json, f"Wrote {count} patterns to [green]{escape(str(file))}[/].", patterns=count, file=str(file))


@app.command("import")
@speaking
def import_(
    file: Annotated[Path, typer.Argument(help="What e2i memory export wrote.")],
    name: Annotated[str | None, typer.Option(help="What to mark them with; default the name of the file.")] = None,
    json: AsJson = False,
) -> None:
    """Take the patterns of a file into the memory: all of them, or none when a line is wrong.

    Patterns of studies that are known stay as they are, so that importing
    again changes nothing.

    [bold]Example[/]

      e2i memory import memory.jsonl.gz --name team-north
    """
    from e2i_assets.services.memory_files.pattern_files import read_patterns

    source = f"import:{name or file.name.removesuffix('.gz').removesuffix('.jsonl')}"
    added, count = read_patterns(_database(), file, source)
    told = f"{added} of {count} patterns are new, marked [green]{escape(source)}[/]."
    say(json, told, patterns=count, new=added, source=source)


@starter.command("load")
@speaking
def load(
    file: Annotated[Path | None, typer.Argument(help="Default the starter memory that ships.")] = None,
    json: AsJson = False,
) -> None:
    """Put the starter memory in, also after it was removed."""
    from e2i_assets.services.memory_files.starter_memory import load_starter

    count = load_starter(_database(), file, again=True)
    say(json, f"The starter memory is in: {count} patterns.", patterns=count)


@starter.command("remove")
@speaking
def remove(json: AsJson = False) -> None:
    """Take the starter memory out; it stays out until somebody loads it."""
    from e2i_assets.adapters.repositories.pattern_writes import StarterPatternRepository

    count = StarterPatternRepository(_database()).remove()
    say(json, f"{count} patterns are gone. `e2i memory starter load` brings them back.", removed=count)


def _database() -> "Database":
    from e2i_assets.cli.open_project import opened_project

    return opened_project().database
