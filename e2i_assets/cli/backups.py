"""`e2i db backup` and `e2i db restore`: the database in one file, and back."""

from pathlib import Path

from e2i_assets.adapters.postgres import server
from e2i_assets.adapters.postgres.backup import backup
from e2i_assets.adapters.postgres.roles import as_worker
from e2i_assets.cli.console import document, for_a_program, out
from e2i_assets.cli.open_project import settings
from e2i_assets.services.prepare import restored


def make(file: Path, json: bool) -> None:
    """Write a backup and say how large it is."""
    with for_a_program(json):
        # Not `workspace()`: it migrates, which refuses the database of another version.
        database = as_worker(server.database(settings()))
        with out.status("Writing the backup ..."):
            size = backup(database, file)
    if json:
        document({"file": str(file), "bytes": size})
    else:
        out.print(f"[green]{file}[/] has {size / 1e6:.1f} MB. Copy the state folder as well.", highlight=False)


def put_back(file: Path, replace: bool, json: bool) -> None:
    """Restore a backup and say what came back."""
    found = settings()
    # Not `workspace()`: its tables would be in the way.
    database = server.database(found)
    with for_a_program(json), out.status("Restoring the backup ..."):
        rows, report = restored(database, file, found.sql, replace)
    if json:
        document({"rows": rows, "applied": list(report.applied), "prepared": list(report.prepared)})
        return
    out.print(f"[green]Restored[/] {sum(rows.values())} rows in {len(rows)} tables, all counted.", highlight=False)
    for name in (*report.applied, *report.prepared):
        out.print(f"brought up to date: [green]{name}[/]", highlight=False)
