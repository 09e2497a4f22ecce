"""`e2i memory`: list, query, prune, export and import the patterns of past studies."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from e2i_assets.cli import memory_changes
from e2i_assets.cli.console import AsJson, document, out, with_error_messages
from e2i_assets.core.errors import E2iError

if TYPE_CHECKING:
    from e2i_assets.adapters.postgres.database import Database
    from e2i_assets.adapters.repositories.pattern_rows import StoredPattern

# Written out, because the module that defines it imports numpy, and the help must appear instantly.
ProblemType = Literal["binary_classification", "multiclass_classification", "regression"]

app = typer.Typer(no_args_is_help=True, help="The patterns of past studies: list, query, prune, export, import.")
app.add_typer(memory_changes.app)
app.add_typer(memory_changes.starter, name="starter")


@app.command("list")
@with_error_messages
def list_(
    algorithm: Annotated[str | None, typer.Option(help="Only this algorithm, for example XGBoost.")] = None,
    problem: Annotated[ProblemType | None, typer.Option(help="Only this problem type.")] = None,
    source: Annotated[str | None, typer.Option(help="Only this source: study, starter or import:NAME.")] = None,
    limit: Annotated[int, typer.Option(help="Maximum number of patterns.", min=1)] = 30,
    json: AsJson = False,
) -> None:
    """List the patterns, newest first, the starter memory last.

    [bold]Examples[/]

      e2i memory list
      e2i memory list --algorithm XGBoost --source study --limit 100
    """
    from e2i_assets.adapters.repositories.pattern_maintenance import PatternMaintenance
    from e2i_assets.cli.memory_tables import pattern_table

    upkeep = PatternMaintenance(_database())
    filters: dict[str, Any] = {"algorithm": algorithm, "problem_type": problem, "source": source}
    found = upkeep.summaries(**filters, limit=limit + 1)
    if json:
        document([asdict(one) for one in found[:limit]])
    elif not found:
        is_filtered = any(value is not None for value in filters.values())
        out.print("No pattern matches." if is_filtered else "The memory is empty: each finished study adds a pattern.")
    else:
        out.print(pattern_table(found[:limit]))
        if len(found) > limit:
            out.print(f"There are more than {limit} patterns: use --limit to show them.", style="dim")


@app.command()
@with_error_messages
def show(
    pattern: Annotated[str, typer.Argument(help="Pattern id or its beginning.")],
    json: AsJson = False,
) -> None:
    """Show a pattern: its problem, its best configurations and its uses.

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
@with_error_messages
def similar(
    experiment: Annotated[str, typer.Argument(help="An experiment that has been run once.")],
    min_similarity: Annotated[
        float | None, typer.Option(help="0 to 1; by default that of the experiment's warm_start.", min=0, max=1)
    ] = None,
    limit: Annotated[int, typer.Option(help="Maximum number of patterns.", min=1)] = 10,
    json: AsJson = False,
) -> None:
    """Show the past problems that are similar to an experiment's, and how they differ most.

    Patterns of the same rows are excluded, as in its warm start.

    [bold]Examples[/]

      e2i memory similar rand_visits
      e2i memory similar rand_visits --min-similarity 0 --limit 50
    """
    from e2i_assets.cli.memory_tables import similar_table
    from e2i_assets.cli.open_project import opened_project
    from e2i_assets.services.similar_problems import described, similar_problems

    project = opened_project()
    target = project.decided_experiment(experiment)
    least = target.warm_start.min_similarity if min_similarity is None else min_similarity
    problem = described(project, target)
    found = similar_problems(project, target, problem, least, limit)
    if json:
        document([{**asdict(one.pattern), "compared": one.compared, "differences": one.differences} for one in found])
        return
    kind = f"{target.algorithm} for {target.problem_type} by {target.metric}"
    out.print(f"{experiment}, as described by {problem.origin}: patterns of {kind}", highlight=False)
    if found:
        out.print(similar_table(found))
    else:
        out.print(f"No pattern has a similarity of {least:g}: --min-similarity 0 shows the nearest.", highlight=False)


@app.command()
@with_error_messages
def stats(json: AsJson = False) -> None:
    """Show the size of the memory and how often it has helped."""
    from e2i_assets.adapters.repositories.pattern_maintenance import PatternMaintenance
    from e2i_assets.cli.memory_tables import statistics_table

    found = PatternMaintenance(_database()).statistics()
    if json:
        document(asdict(found))
        return
    out.print(
        f"{found.patterns} patterns, {found.starter} of them from the starter memory; {found.forgotten} deleted. "
        f"{found.studies_helped} studies have used them, in {found.uses} trials.",
        highlight=False,
    )
    if not found.by_vector:
        out.print(
            "Without pgvector, each search scans all patterns of a kind. With many thousands, install it and call "
            "SELECT e2i.index_hpo_patterns().",
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
        raise E2iError(f"there is no pattern {beginning}: `e2i memory list` shows the patterns")
    return found
