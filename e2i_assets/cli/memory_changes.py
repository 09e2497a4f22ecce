"""The commands of `e2i memory` that write: prune, export, import, and the starter memory."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from e2i_assets.cli.console import AsJson, document, out, print_result, with_error_messages
from e2i_assets.core.errors import E2iError

if TYPE_CHECKING:
    from e2i_assets.adapters.postgres.database import Database

app = typer.Typer()
starter = typer.Typer(no_args_is_help=True, help="The patterns that are included in the package.")


@app.command()
@with_error_messages
def prune(
    older_than: Annotated[int, typer.Option(help="Minimum age of deleted patterns in days.", min=0)] = 90,
    max_uses: Annotated[int, typer.Option(help="Maximum number of uses of deleted patterns.", min=0)] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; the default.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete the patterns.")] = False,
    json: AsJson = False,
) -> None:
    """Delete old unused patterns, and all but the best of several patterns of one problem.

    Without --yes, it only shows what would be deleted. To delete the starter
    memory, use e2i memory starter remove.

    [bold]Examples[/]

      e2i memory prune
      e2i memory prune --older-than 365 --max-uses 2 --yes
    """
    from e2i_assets.adapters.repositories.pattern_maintenance import PatternMaintenance
    from e2i_assets.cli.memory_tables import forgotten_table

    if dry_run and yes:
        raise E2iError("--dry-run changes nothing and --yes deletes: use one of them")
    found = PatternMaintenance(_database()).forget(older_than, max_uses, dry_run=not yes)
    if json:
        document([asdict(one) for one in found])
    elif not found:
        out.print("There is nothing to delete.")
    else:
        out.print(forgotten_table(found))
        message = f"{len(found)} patterns {'deleted' if yes else 'would be deleted: use --yes'}."
        out.print(message, highlight=False)


@app.command("export")
@with_error_messages
def export_(
    file: Annotated[Path, typer.Argument(help="JSON Lines file; compressed if its name ends in .gz.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    json: AsJson = False,
) -> None:
    """Write the patterns to a file, as a copy or for another database. The starter memory is not included.

    [bold]Example[/]

      e2i memory export memory.jsonl.gz
    """
    from e2i_assets.services.memory_files.pattern_files import write_patterns

    count = write_patterns(_database(), file, force)
    print_result(json, f"Wrote {count} patterns to [green]{escape(str(file))}[/].", patterns=count, file=str(file))


@app.command("import")
@with_error_messages
def import_(
    file: Annotated[Path, typer.Argument(help="A file written by e2i memory export.")],
    name: Annotated[str | None, typer.Option(help="Name of the source; by default the file name.")] = None,
    json: AsJson = False,
) -> None:
    """Import the patterns of a file: all of them, or none if a line is not valid.

    Patterns of known studies are unchanged, so repeating an import has no
    effect.

    [bold]Example[/]

      e2i memory import memory.jsonl.gz --name team-north
    """
    from e2i_assets.services.memory_files.pattern_files import read_patterns

    source = f"import:{name or file.name.removesuffix('.gz').removesuffix('.jsonl')}"
    added, count = read_patterns(_database(), file, source)
    message = f"{added} of {count} patterns are new, with the source [green]{escape(source)}[/]."
    print_result(json, message, patterns=count, new=added, source=source)


@starter.command("load")
@with_error_messages
def load(
    file: Annotated[Path | None, typer.Argument(help="By default the starter memory of the package.")] = None,
    json: AsJson = False,
) -> None:
    """Load the starter memory, also after it was removed."""
    from e2i_assets.services.memory_files.starter_memory import load_starter

    count = load_starter(_database(), file, again=True)
    print_result(json, f"Loaded the starter memory: {count} patterns.", patterns=count)


@starter.command("remove")
@with_error_messages
def remove(json: AsJson = False) -> None:
    """Remove the starter memory. It is not loaded again automatically."""
    from e2i_assets.adapters.repositories.pattern_writes import StarterPatternRepository

    count = StarterPatternRepository(_database()).remove()
    print_result(json, f"Removed {count} patterns. `e2i memory starter load` restores them.", removed=count)


def _database() -> "Database":
    from e2i_assets.cli.open_project import opened_project

    return opened_project().database
