"""`e2i experiment`: the files in `experiments/`: a new one, what is wrong with them, and what came of them."""

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from e2i_assets.cli.console import FAILED, document, err, for_a_program, out, speaking
from e2i_assets.core.errors import E2iError

if TYPE_CHECKING:
    from e2i_assets.adapters.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The files in experiments/: one YAML file for each prediction problem.")


@app.command()
@speaking
def new(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and _; also the name of the file.")],
    algorithm: Annotated[str, typer.Option(help="XGBoost, LightGBM, RandomForest, Ridge, ...")] = "XGBoost",
    problem: Annotated[
        Literal["binary_classification", "multiclass_classification", "regression"] | None,
        typer.Option(help="What kind of target it is; default the first that the algorithm can do."),
    ] = None,
    csv: Annotated[str | None, typer.Option(help="Where the rows are, from the project folder.")] = None,
    parquet: Annotated[str | None, typer.Option(help="The same for a Parquet file.")] = None,
    target: Annotated[str, typer.Option(help="The column to predict.")] = "my_target",
    owner: Annotated[str, typer.Option(help="A team, such as team:sales, or an e-mail address.")] = "team:my-team",
) -> None:
    """Write experiments/NAME.yaml, explained line by line, for you to fill in.

    [bold]Examples[/]

      e2i experiment new churn --csv data/customers.csv --target churned
      e2i experiment new demand --algorithm LightGBM --problem regression
    """
    from e2i_assets.cli.open_project import settings, shown
    from e2i_assets.core.experiments.file import parse_experiment
    from e2i_assets.core.experiments.template import template

    found = settings()
    path = found.experiments / f"{name}.yaml"
    if csv and parquet:
        raise E2iError("an experiment has one source: give --csv or --parquet, not both")
    source = f"parquet: {json_text.dumps(parquet)}" if parquet else f"csv: {json_text.dumps(csv or 'data/rows.csv')}"
    text = template(name, algorithm, problem, json_text.dumps(owner), source, json_text.dumps(target))
    parse_experiment(text, f"{name}.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise E2iError(f"{shown(path, found.root)} is there already: choose another name, or edit that file") from None
    out.print(f"Wrote [green]{shown(path, found.root)}[/]. Fill it in, then:", highlight=False)
    out.print(f"  e2i experiment validate {name} --data\n  e2i run {name}", highlight=False)
    if (rows := parquet or csv) and not (found.root / rows).is_file():
        err.print(f"[yellow]There is no {escape(rows)} in the project folder yet:[/] its rows are read from there.")


@app.command()
@speaking
def validate(
    names: Annotated[list[str] | None, typer.Argument(help="Names or files; all when none is given.")] = None,
    data: Annotated[bool, typer.Option("--data", help="Judge the rows too: are the columns there, and fit?")] = False,
    json: Annotated[bool, typer.Option("--json", help="A document instead of sentences.")] = False,
) -> None:
    """Say whether experiment files are valid, or everything that is wrong with them. Nothing is registered.

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
                out.print(f"   [yellow]{escape(column)} is not learnt from[/], {escape(why)}", highlight=False)
            for note in verdict.notes:
                out.print(f"   [yellow]note[/] {escape(note)}", highlight=False)
        else:
            err.print(f"[bold red]not valid[/] {escape(verdict.mistakes)}", highlight=False)
    if not found and not json:
        out.print("There is no experiment yet: `e2i experiment new NAME` writes the first one.")
    if any(verdict.mistakes is not None for verdict in found):
        raise typer.Exit(FAILED)


@app.command("list")
@speaking
def list_(json: Annotated[bool, typer.Option("--json", help="A document instead of a table.")] = False) -> None:
    """List the experiments: what they are, and what became of them."""
    from e2i_assets.cli.experiment_list import experiment_documents, experiment_table
    from e2i_assets.cli.open_project import opened_project, settings

    found = settings()
    # A database that was never made knows of nothing: making one would take half a minute.
    with for_a_program(json):
        project = opened_project() if found.database_url or (found.state / "postgres").is_dir() else None
        if not json:
            out.print(experiment_table(found, project))
    if json:
        document(experiment_documents(found, project))


@app.command()
@speaking
def schema(
    names: Annotated[
        list[str] | None, typer.Argument(help="Experiments whose rows to infer a schema from; none: see below.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Infer anew where there is a schema file already.")] = False,
) -> None:
    """Write experiments/schemas/NAME.yaml: what the rows of an experiment must look like, for you to edit.

    The first run of an experiment does the same. Without a name: docs/experiment.schema.json, with which an editor
    completes and checks experiment files.

    [bold]Examples[/]

      e2i experiment schema churn
      e2i experiment schema churn --force       after the source has changed for good
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
    """Write the schema files that the rows of experiments have today, and return their paths."""
    from e2i_assets.adapters.files.experiment_files import read_folder, strict
    from e2i_assets.adapters.sources import datasets
    from e2i_assets.core.data.dataset import dataset_of
    from e2i_assets.services import data_gates
    from e2i_assets.services.register import chosen_experiments

    written = []
    for experiment in chosen_experiments(strict(read_folder(found.experiments)), names):
        data = dataset_of(datasets.load(experiment.source, found.root, found.environment), experiment)
        path = data_gates.keep_schema(found, experiment.name, data, replace=force)
        if path is None:
            raise E2iError(f"experiments/schemas/{experiment.name}.yaml is there already: edit it, or add --force")
        written.append(path)
    return written
