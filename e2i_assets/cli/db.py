"""`e2i db`: the one PostgreSQL database: its address, its tables, and a way in."""

import shlex
import signal
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from e2i_assets.cli.console import document, err, for_a_program, out, speaking

if TYPE_CHECKING:
    from e2i_assets.adapters.postgres.database import Database

app = typer.Typer(no_args_is_help=True, help="The PostgreSQL database: its address, its tables, and a way in.")


@app.command()
@speaking
def url(
    export: Annotated[bool, typer.Option("--export", help="As a line for the shell to evaluate.")] = False,
    owner: Annotated[
        Literal["e2i", "dagster", "optuna", "mlflow"] | None,
        typer.Option(help="The address at which this owner finds its own schema."),
    ] = None,
) -> None:
    """Print the address of the database, with its password.

    Its tables are prepared. The embedded server runs only while something uses
    it: e2i run, e2i up, or e2i db serve in another terminal.

    Put it into a variable and not behind a command: whoever is on this machine
    can read what stands there. For a look at the tables there is e2i db psql.

    [bold]Examples[/]

      eval "$(e2i db url --export)"      for dagster dev, dg launch and others
      export OPTUNA_STORAGE="$(e2i db url --owner optuna)"
    """
    from e2i_assets.adapters.settings import DATABASE_URL

    database, embedded = _prepared()
    # psql reads the plain spelling; the libraries need the one that names the driver.
    address = database.url_for(owner) if owner else database.url if export else database.libpq_url
    typer.echo(f"export {DATABASE_URL}={shlex.quote(address)}" if export else address)
    if embedded:
        err.print("The embedded server runs only while something uses it: `e2i db serve` keeps it up.", style="dim")


@app.command()
@speaking
def serve() -> None:
    """Keep the embedded server up, with its tables prepared, until Ctrl-C."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    database, embedded = _prepared()
    if not embedded:
        out.print(f"E2I_DATABASE_URL names a server of yours, {database.redacted}: there is nothing to keep up.")
        return
    out.print(f"[green]PostgreSQL[/] {database.redacted} until Ctrl-C. In another terminal:", highlight=False)
    out.print('  eval "$(e2i db url --export)"', highlight=False)
    stop.wait()


@app.command()
@speaking
def migrate(json: Annotated[bool, typer.Option("--json", help="A document instead of sentences.")] = False) -> None:
    """Create the tables, or bring them up to date; without anything to do it only looks."""
    from e2i_assets.adapters.postgres import server
    from e2i_assets.cli.open_project import settings
    from e2i_assets.services.prepare import prepare

    found = settings()
    database = server.database(found)
    with for_a_program(json), out.status("Preparing the tables (the first time takes half a minute) ..."):
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
@speaking
def psql(
    arguments: Annotated[list[str] | None, typer.Argument(help="For psql; put -- before them.")] = None,
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
    # While psql runs, Ctrl-C is for it: it cancels a query and stays.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with client_environment(database) as environment:
        ended = subprocess.run([program, *(arguments or [])], env=environment, check=False)
    raise typer.Exit(ended.returncode)


@app.command()
@speaking
def login(
    name: Annotated[str, typer.Argument(help="Of the account; one that is not there yet.")],
    role: Annotated[
        Literal["owner", "worker", "reader"],
        typer.Option(help="owner may change tables, worker reads and writes rows, reader reads."),
    ],
) -> None:
    """Make an account in the database and print its address, with a new password.

    The password is printed this once and stored nowhere. For a machine that
    trains, worker is enough; for a dashboard, reader.

    [bold]Example[/]

      e2i db login grafana --role reader
    """
    from e2i_assets.adapters.postgres.roles import make_login

    database, _ = _prepared()
    typer.echo(make_login(database.acting_as(None), name, role).libpq_url)


@app.command()
@speaking
def backup(
    file: Annotated[Path, typer.Argument(help="Where to; a file that is not there yet.")],
    json: Annotated[bool, typer.Option("--json", help="A document instead of a sentence.")] = False,
) -> None:
    """Back up the database to one file that only you can read.

    Ours, Optuna's, MLflow's and Dagster's tables as of one moment; runs may go
    on. Models, reports and MLflow's artifacts are files in the state folder:
    copy that as well (docs/how-to/backup.md).

    [bold]Example[/]

      e2i db backup e2i-$(date +%F).dump
    """
    from e2i_assets.adapters.postgres import server
    from e2i_assets.adapters.postgres.backup import backup as write_backup
    from e2i_assets.adapters.postgres.roles import as_worker
    from e2i_assets.cli.open_project import settings

    with for_a_program(json):
        # Not `_prepared`: it migrates, which refuses the database of another version.
        database = as_worker(server.database(settings()))
        with out.status("Writing the backup ..."):
            size = write_backup(database, file)
    if json:
        document({"file": str(file), "bytes": size})
    else:
        out.print(f"[green]{file}[/] has {size / 1e6:.1f} MB. Copy the state folder as well.", highlight=False)


@app.command()
@speaking
def restore(
    file: Annotated[Path, typer.Argument(help="A file that e2i db backup wrote.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Throw away what the database holds. Without it, it has to be empty.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="A document instead of a sentence.")] = False,
) -> None:
    """Put a backup into the database: all of it, or nothing.

    A backup of an older version is brought up to date; one of a newer version is
    refused. Stop e2i up and all runs before.

    [bold]Examples[/]

      e2i db restore e2i-2026-11-25.dump
      e2i db restore e2i-2026-11-25.dump --replace
    """
    from e2i_assets.adapters.postgres import server
    from e2i_assets.cli.open_project import settings
    from e2i_assets.services.prepare import restored

    found = settings()
    database = server.database(found)  # not `_prepared`: its tables would be in the way
    with for_a_program(json), out.status("Restoring the backup ..."):
        rows, report = restored(database, file, found.sql, replace)
    if json:
        document({"rows": rows, "applied": list(report.applied), "prepared": list(report.prepared)})
        return
    out.print(f"[green]Restored[/] {sum(rows.values())} rows in {len(rows)} tables, all counted.", highlight=False)
    for name in (*report.applied, *report.prepared):
        out.print(f"brought up to date: [green]{name}[/]", highlight=False)


def _prepared() -> tuple["Database", bool]:
    """Return the database with its tables there, and whether it is the embedded one."""
    from e2i_assets.cli.open_project import opened_project, settings

    embedded = settings().database_url is None
    return opened_project().database, embedded
