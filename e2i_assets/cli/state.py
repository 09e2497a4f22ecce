"""`e2i state`: where values, models and reports are."""

from typing import Annotated

import typer

from e2i_assets.cli.console import AsJson, document, err, json_output, out, with_error_messages

app = typer.Typer(no_args_is_help=True, help="The state: values, models, reports, in a folder or a bucket.")


@app.callback()
def options() -> None:
    pass


@app.command()
@with_error_messages
def copy(
    to: Annotated[str, typer.Argument(help="The new state: a folder, or an address such as s3://BUCKET/PREFIX.")],
    json: AsJson = False,
) -> None:
    """Copy the state of E2I_STATE to another place, read everything back, and compare it.

    Stop e2i up, the daemon and all runs first. The old state stays as it is. At
    the end, MLflow's tables and ours name the new place in the database of
    E2I_DATABASE_URL, which is not copied. After an interrupt, run the same
    command again. Then set E2I_STATE to the new place, and run e2i check.

    [bold]Examples[/]

      e2i state copy s3://models/e2i             from a folder to a bucket
      E2I_STATE=s3://models/e2i e2i state copy /srv/e2i
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from e2i_assets.adapters.settings import STATE
    from e2i_assets.cli.open_project import opened_project
    from e2i_assets.services.copy_state import copy_state

    with json_output(json):
        project = opened_project()
        columns = (TextColumn("Copying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=err, transient=True) as shown:
            task = shown.add_task("", total=None)
            copied = copy_state(project, to, lambda done, total: shown.update(task, completed=done, total=total))
    if json:
        document(copied)
        return
    before = f", {copied.copied_before} of them by an earlier call" if copied.copied_before else ""
    size = f"{copied.bytes / 1e6:.1f} MB"
    out.print(f"[green]Copied[/] {copied.items} values and files, {size}{before}.", highlight=False)
    out.print(f"{copied.addresses} addresses in the database name {copied.target}.", highlight=False, soft_wrap=True)
    if copied.runs_elsewhere is None:
        out.print("[yellow]Not copied:[/] MLflow's artifacts, which your MLflow server keeps.")
    elif copied.runs_elsewhere:
        places = f"the artifacts of {copied.runs_elsewhere} runs in MLflow, which are at other places"
        out.print(f"[yellow]Not copied:[/] {places}.", highlight=False)
    out.print(f"Now set {STATE}={copied.target} and run `e2i check`.", highlight=False, soft_wrap=True)
