"""`e2i memory`: what past studies taught: look at it, ask it, tidy it, and carry it to another PostgreSQL."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from e2i_assets.cli import memory_changes
from e2i_assets.cli.console import AsJson, document, out, speaking
from e2i_assets.core.errors import E2iError

if TYPE_CHECKING:
    from e2i_assets.adapters.postgres.database import Database
    from e2i_assets.adapters.repositories.pattern_rows import StoredPattern

# Spelt out, for help is instant: where these stand, numpy is imported.
ProblemType = Literal["binary_classification", "multiclass_classification", "regression"]

app = typer.Typer(no_args_is_help=True, help="What past studies taught: look at it, ask it, tidy it, take it along.")
app.add_typer(memory_changes.app)
app.add_typer(memory_changes.starter, name="starter")


@app.command("list")
@speaking
def list_(
    algorithm: Annotated[str | None, typer.Option(help="Only of this algorithm, XGBoost for example.")] = None,
    problem: Annotated[ProblemType | None, typer.Option(help="Only of this type of problem.")] = None,
    source: Annotated[str | None, typer.Option(help="study, starter, or import:NAME.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 30,
    json: AsJson = False,
) -> None:
    """List the patterns, newest first and the starter memory last.

    [bold]Examples[/]

      e2i memory list
      e2i memory list --algorithm XGBoost --source study --limit 100
    """
    from e2i_assets.adapters.repositories.pattern_maintenance import PatternMaintenance
    from e2i_assets.cli.memory_tables import pattern_table

    upkeep = PatternMaintenance(_database())
    chosen: dict[str, Any] = {"algorithm": algorithm, "problem_type": problem, "source": source}
    found = upkeep.summaries(**chosen, limit=limit + 1)
    if json:
        document([asdict(one) for one in found[:limit]])
    elif not found:
        named = any(value is not None for value in chosen.values())
        out.print("No pattern is like that." if named else "The memory is empty: each finished study adds a pattern.")
    else:
        out.print(pattern_table(found[:limit]))
        if len(found) > limit:
            out.print(f"There are more than these {limit}: --limit shows them.", style="dim")


@app.command()
@speaking
def show(
    pattern: Annotated[str, typer.Argument(help="Its id, or how that begins.")],
    json: AsJson = False,
) -> None:
    """Show a pattern: its problem, its best configurations, and what came of using it.

    [bold]Examples[/]

      e2i memory show 3f2a
      e2i memory show 3f2a --json      with every trial
    """
    from e2i_assets.adapters.repositories.pattern_maintenance import PatternMaintenance
    from e2i_assets.cli.memory_tables import pattern_card

    database = _database()
    found = _pattern(database, pattern)
    uses = PatternMaintenance(database).uses(found.pattern_id)
    if json:
        document({**asdict(found), "uses": [asdict(use) for use in uses]})
    else:
        out.print(pattern_card(found, uses))


@app.command()
@speaking
def similar(
    experiment: Annotated[str, typer.Argument(help="An experiment whose rows were looked at once.")],
    min_similarity: Annotated[
        float | None, typer.Option(help="0 to 1; default what the experiment's warm_start asks for.", min=0, max=1)
    ] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 10,
    json: AsJson = False,
) -> None:
    """Show which past problems are like an experiment's, and in what each differs most.

    The same rows are left out, as in its warm start.

    [bold]Examples[/]

      e2i memory similar rand_visits
      e2i memory similar rand_visits --min-similarity 0 --limit 50
    """
    from e2i_assets.cli.memory_tables import similar_table
    from e2i_assets.cli.open_project import opened_project
    from e2i_assets.services.similar_problems import described, similar_problems

    project = opened_project()
    asked = project.experiment(experiment)
    least = asked.warm_start.min_similarity if min_similarity is None else min_similarity
    problem = described(project, asked)
    found = similar_problems(project, asked, problem, least, limit)
    if json:
        document([{**asdict(one.pattern), "compared": one.compared, "differences": one.differences} for one in found])
        return
    kind = f"{asked.algorithm} for {asked.problem_type} by {asked.metric}"
    out.print(f"{experiment}, as described by {problem.origin}: patterns of {kind}", highlight=False)
    if found:
        out.print(similar_table(found))
    else:
        out.print(f"None is at least {least:g} similar: --min-similarity 0 shows the nearest.", highlight=False)


@app.command()
@speaking
def stats(json: AsJson = False) -> None:
    """Say how much the memory holds, and how often it has helped."""
    from e2i_assets.adapters.repositories.pattern_maintenance import PatternMaintenance
    from e2i_assets.cli.memory_tables import statistics_table

    found = PatternMaintenance(_database()).statistics()
    if json:
        document(asdict(found))
        return
    out.print(
        f"{found.patterns} patterns, {found.starter} of them the starter memory; {found.forgotten} forgotten. "
        f"{found.studies_helped} studies have tried them, in {found.uses} trials.",
        highlight=False,
    )
    if not found.by_vector:
        out.print(
            "Without pgvector each search looks at every pattern of a kind: install the extension and call "
            "SELECT e2i.index_hpo_patterns() when there are many thousands.",
            highlight=False,
        )
    if found.kinds:
        out.print(statistics_table(found.kinds))


def _database() -> "Database":
    from e2i_assets.cli.open_project import opened_project

    return opened_project().database


def _pattern(database: "Database", beginning: str) -> "StoredPattern":
    from e2i_assets.adapters.repositories.pattern_maintenance import PatternMaintenance
    from e2i_assets.adapters.repositories.patterns import PatternRepository

    ids = PatternMaintenance(database).ids(beginning)
    if len(ids) > 1:
        raise E2iError(f"several patterns begin with {beginning}: {', '.join(ids)}")
    found = PatternRepository(database).get(ids[0]) if ids else None
    if found is None:
        raise E2iError(f"there is no pattern {beginning}: `e2i memory list` shows which there are")
    return found
