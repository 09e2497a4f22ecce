"""`e2i experiment`: create, validate and list the files in `experiments/`, and infer row schemas."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from e2i_assets.cli.console import FAILED, document, err, json_output, out, with_error_messages
from e2i_assets.core.errors import E2iError

if TYPE_CHECKING:
    from e2i_assets.adapters.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The files in experiments/: one YAML file per prediction problem.")


@app.command()
@with_error_messages
def new(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and _; also the file name.")],
    algorithm: Annotated[str, typer.Option(help="XGBoost, LightGBM, RandomForest, Ridge, ...")] = "XGBoost",
    problem: Annotated[
        Literal["binary_classification", "multiclass_classification", "regression"] | None,
        typer.Option(help="Problem type; by default the first that the algorithm supports."),
    ] = None,
    csv: Annotated[str | None, typer.Option(help="CSV file, relative to the project folder.")] = None,
    parquet: Annotated[str | None, typer.Option(help="Parquet file or folder, relative to the project folder.")] = None,
    sql: Annotated[str | None, typer.Option(help="Query on the PostgreSQL database of E2I_SOURCE_URL.")] = None,
    target: Annotated[str | None, typer.Option(help="The column to predict; by default the last suitable one.")] = None,
    owner: Annotated[
        str | None, typer.Option(help="A team, such as team:sales, or an e-mail address; by default that of git.")
    ] = None,
    run: Annotated[bool, typer.Option("--run", help="Run the experiment at once.")] = False,
) -> None:
    """Look at a file, and write experiments/NAME.yaml for it: columns, target, problem type, metric.

    On a terminal it asks for the target. Without a file it writes a file with
    blanks, which is not valid, and not run, before they are filled in.

    [bold]Examples[/]

      e2i experiment new churn --csv data/customers.csv
      e2i experiment new churn --csv data/customers.csv --target churned --run
      e2i experiment new demand --sql "SELECT * FROM demand ORDER BY id"
    """
    from e2i_assets.cli import new_experiment
    from e2i_assets.services.suggest import source_of

    given = {"csv": csv, "parquet": parquet, "sql": sql}
    source = source_of(**given) if any(given.values()) else None
    is_complete = new_experiment.new(name, algorithm, problem, source, target, owner)
    if run:
        new_experiment.run(name, is_complete)


@app.command()
@with_error_messages
def validate(
    names: Annotated[list[str] | None, typer.Argument(help="Names or files; by default all.")] = None,
    data: Annotated[bool, typer.Option("--data", help="Validate the rows too: do the columns exist and fit?")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Validate experiment files and print all errors. Nothing is registered.

    [bold]Examples[/]

      e2i experiment validate                   all of them
      e2i experiment validate churn --data      and its rows
      e2i experiment validate drafts/churn.yaml
    """
    from e2i_assets.cli.open_project import settings
    from e2i_assets.services.validate import verdicts

    found = verdicts(settings(), names or [], data)
    if json:
        document([verdict.as_document() for verdict in found])
    for verdict in found if not json else ():
        if verdict.mistakes is None:
            out.print(f"[green]ok[/] {verdict.name}", highlight=False)
            for column, why in verdict.unused.items():
                out.print(f"   [yellow]{escape(column)} is not used as a feature[/], {escape(why)}", highlight=False)
            for note in verdict.notes:
                out.print(f"   [yellow]note[/] {escape(note)}", highlight=False)
        else:
            err.print(f"[bold red]not valid[/] {escape(verdict.mistakes)}", highlight=False)
    if not found and not json:
        out.print("There are no experiments yet: `e2i experiment new NAME` creates one.")
    if any(verdict.mistakes is not None for verdict in found):
        raise typer.Exit(FAILED)


@app.command("list")
@with_error_messages
def list_(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the experiments with their state."""
    from e2i_assets.cli.experiment_list import attention_lines, experiment_documents, experiment_table
    from e2i_assets.cli.open_project import opened_project, settings

    found = settings()
    # Without a database no experiment is registered. Creating one here would take half a minute.
    with json_output(json):
        project = opened_project() if found.database_url or (found.state / "postgres").is_dir() else None
        if not json:
            table, wrong = experiment_table(found, project)
            out.print(table)
            for line in attention_lines(wrong):
                out.print(line, highlight=False)
    if json:
        document(experiment_documents(found, project))


@app.command()
@with_error_messages
def remove(
    name: Annotated[str, typer.Argument(help="The experiment.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Retire an experiment: no run, schedule or check uses it any more, and none of its models is in use.

    Its file moves to the state folder, and its partition leaves Dagster.
    Studies, models, runs and events are kept: with a file of the same name the
    experiment continues, also with its champion. On a terminal it asks first.

    [bold]Examples[/]

      e2i experiment remove churn
      e2i experiment remove churn --yes --json
    """
    from e2i_assets.cli.remove_experiment import remove_experiment

    remove_experiment(name, yes, json)


@app.command()
@with_error_messages
def schema(
    names: Annotated[list[str] | None, typer.Argument(help="Experiments whose row schema is inferred.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing schema file.")] = False,
) -> None:
    """Infer experiments/schemas/NAME.yaml, the schema that the rows must match, for you to edit.

    The first run of an experiment does the same. Without a name, this writes docs/experiment.schema.json, which lets an
    editor complete and check experiment files.

    [bold]Examples[/]

      e2i experiment schema churn
      e2i experiment schema churn --force       after a permanent change of the source
    """
    from e2i_assets.cli.open_project import settings, shown
    from e2i_assets.core.experiments.schema import json_schema_text

    found = settings()
    if names:
        for path in _row_schemas(found, names, force):
            out.print(f"Wrote [green]{shown(path, found.root)}[/]: enforced from now on.", highlight=False)
        return
    path = found.root / "docs" / "experiment.schema.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json_schema_text(), encoding="utf-8")
    out.print(f"Wrote {shown(path, found.root)}.", highlight=False)


def _row_schemas(found: "Settings", names: list[str], force: bool) -> list[Path]:
    """Infer the schema files from the current rows of experiments, write them and return their paths."""
    from e2i_assets.adapters.files.experiment_files import read_folder, strict
    from e2i_assets.adapters.sources import datasets
    from e2i_assets.core.data.dataset import dataset_of
    from e2i_assets.services import data_gates
    from e2i_assets.services.register import chosen_experiments

    written = []
    for experiment in chosen_experiments(strict(read_folder(found.experiments)), names):
        data = dataset_of(datasets.load(experiment.source, found.root, found.environment), experiment, profiled=False)
        path = data_gates.write_schema(found, experiment, data, replace=force)
        if path is None:
            raise E2iError(f"experiments/schemas/{experiment.name}.yaml exists already: edit it or add --force")
        written.append(path)
    return written
