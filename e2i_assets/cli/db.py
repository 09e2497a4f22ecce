"""`e2i db`: the PostgreSQL database: its address, tables, accounts and backups."""

import shlex
import signal
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from e2i_assets.cli.console import document, err, json_output, out, with_error_messages

if TYPE_CHECKING:
    from e2i_assets.adapters.postgres.database import Database

app = typer.Typer(no_args_is_help=True, help="The PostgreSQL database: address, tables, accounts, backups.")


@app.command()
@with_error_messages
def url(
    export: Annotated[bool, typer.Option("--export", help="Print an export statement for the shell.")] = False,
    owner: Annotated[
        Literal["e2i", "dagster", "optuna", "mlflow"] | None,
        typer.Option(help="Print the address whose default schema belongs to this owner."),
    ] = None,
) -> None:
    """Print the address of the database, including the password.

    The tables are created or updated first. The embedded server runs only while
    a process uses it: e2i run, e2i up, or e2i db serve in another terminal.

    Put the address into a variable, not on a command line, which all users of
    this machine can read. To inspect the tables, use e2i db psql.

    [bold]Examples[/]

      eval "$(e2i db url --export)"      for dagster dev, dg launch and other tools
      export OPTUNA_STORAGE="$(e2i db url --owner optuna)"
    """
    from e2i_assets.adapters.settings import DATABASE_URL

    database, embedded = _prepared()
    # psql needs a plain URL; the Python libraries need the name of the driver in it.
    address = database.url_for(owner) if owner else database.url if export else database.libpq_url
    typer.echo(f"export {DATABASE_URL}={shlex.quote(address)}" if export else address)
    if embedded:
        err.print("The embedded server runs only while it is in use: `e2i db serve` keeps it running.", style="dim")


@app.command()
@with_error_messages
def serve() -> None:
    """Keep the embedded server running, with up-to-date tables, until Ctrl-C."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    database, embedded = _prepared()
    if not embedded:
        out.print(f"E2I_DATABASE_URL is your own server, {database.redacted}: there is nothing to start.")
        return
    out.print(f"[green]PostgreSQL[/] {database.redacted} until Ctrl-C. In another terminal:", highlight=False)
    out.print('  eval "$(e2i db url --export)"', highlight=False)
    stop.wait()


@app.command()
@with_error_messages
def migrate(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Create the tables or update them. Nothing changes if they are up to date."""
    from e2i_assets.adapters.postgres import server
    from e2i_assets.cli.open_project import settings
    from e2i_assets.services.prepare import prepare

    found = settings()
    database = server.database(found)
    with json_output(json), out.status("Preparing the tables (half a minute the first time) ..."):
        report = prepare(database, found.sql)
    if json:
        document({"applied": list(report.applied), "prepared": list(report.prepared)})
        return
    for name in report.applied:
        out.print(f"applied [green]{name}[/]", highlight=False)
    for owner in report.prepared:
        out.print(f"prepared the tables of [green]{owner}[/]", highlight=False)
    if not report.changed:
        out.print("Everything is up to date.")


@app.command(context_settings={"ignore_unknown_options": True})
@with_error_messages
def psql(
    arguments: Annotated[list[str] | None, typer.Argument(help="Arguments for psql, after --.")] = None,
) -> None:
    """Open psql on the database.

    [bold]Examples[/]

      e2i db psql
      e2i db psql -- -c "SELECT study_name, best_value FROM ml_hpo_studies"
    """
    from e2i_assets.adapters.postgres.binaries import client_program
    from e2i_assets.adapters.postgres.client_programs import client_environment

    database, _ = _prepared()
    program = client_program("psql")
    # While psql runs, Ctrl-C cancels a query in psql and does not end this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with client_environment(database) as environment:
        ended = subprocess.run([program, *(arguments or [])], env=environment, check=False)
    raise typer.Exit(ended.returncode)


@app.command()
@with_error_messages
def login(
    name: Annotated[str, typer.Argument(help="Name of the new account.")],
    role: Annotated[
        Literal["owner", "worker", "reader"],
        typer.Option(help="owner may change tables, worker may write rows, reader may read rows."),
    ],
    pooled: Annotated[
        bool, typer.Option("--pooled", help="For PgBouncer: the account has our schema as a setting.")
    ] = False,
) -> None:
    """Create a database account and print its address with a new password.

    The password is printed once and not stored. A machine that trains needs
    worker; a dashboard needs reader.

    [bold]Example[/]

      e2i db login grafana --role reader
    """
    from e2i_assets.adapters.postgres.roles import make_login

    database, _ = _prepared()
    typer.echo(make_login(database.acting_as(None), name, role, pooled).libpq_url)


@app.command()
@with_error_messages
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Back up the database to one file that only you can read.

    The file has the tables of e2i_assets, Optuna, MLflow and Dagster as of one
    point in time; runs may continue. Models, reports and MLflow artifacts are
    files in the state folder: copy it as well (docs/how-to/backup.md).

    [bold]Example[/]

      e2i db backup e2i-$(date +%F).dump
    """
    from e2i_assets.adapters.postgres import server
    from e2i_assets.adapters.postgres.backup import backup as write_backup
    from e2i_assets.adapters.postgres.roles import as_worker
    from e2i_assets.cli.open_project import settings

    with json_output(json):
        # Not `_prepared`, which migrates, and migration refuses a database of another version.
        database = as_worker(server.database(settings()))
        with out.status("Writing the backup ..."):
            size = write_backup(database, file)
    if json:
        document({"file": str(file), "bytes": size})
    else:
        out.print(f"[green]{file}[/] has {size / 1e6:.1f} MB. Copy the state folder as well.", highlight=False)


@app.command()
@with_error_messages
def restore(
    file: Annotated[Path, typer.Argument(help="A file written by e2i db backup.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Delete the current contents. Without it, the database must be empty.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Restore the database from a backup, completely or not at all.

    A backup of an older version is updated; one of a newer version is refused.
    Stop e2i up and all runs first.

    [bold]Examples[/]

      e2i db restore e2i-2026-11-25.dump
      e2i db restore e2i-2026-11-25.dump --replace
    """
    from e2i_assets.adapters.postgres import server
    from e2i_assets.cli.open_project import settings
    from e2i_assets.services.prepare import restored

    found = settings()
    database = server.database(found)  # not `_prepared`, which would create tables that block the restore
    with json_output(json), out.status("Restoring the backup ..."):
        rows, report = restored(database, file, found.sql, replace)
    if json:
        document({"rows": rows, "applied": list(report.applied), "prepared": list(report.prepared)})
        return
    out.print(f"[green]Restored[/] {sum(rows.values())} rows in {len(rows)} tables, all counted.", highlight=False)
    for name in (*report.applied, *report.prepared):
        out.print(f"updated: [green]{name}[/]", highlight=False)


def _prepared() -> tuple["Database", bool]:
    """Return the database with up-to-date tables, and whether it is the embedded one."""
    from e2i_assets.cli.open_project import opened_project, settings

    embedded = settings().database_url is None
    return opened_project().database, embedded
