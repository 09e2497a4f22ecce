"""The tables of `e2i memory`; values are shown in the natural orientation of their metric."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from e2i_assets.adapters.repositories.pattern_maintenance import Forgotten, KindStatistics, PatternSummary, PatternUse
from e2i_assets.adapters.repositories.pattern_rows import StoredPattern
from e2i_assets.core.memory.meta_vector import Difference
from e2i_assets.core.metrics import PROBLEM_TYPES, is_metric, metric
from e2i_assets.services.similar_problems import SimilarProblem

_NONE = "-"
_SHORT = 8
_MOST_DIFFERENCES = 3


def pattern_table(patterns: Sequence[PatternSummary]) -> Table:
    """Return the table of patterns, two lines per pattern."""
    table = _table("pattern\n  from", "algorithm\n  problem type", "metric\n  best", "rows\n  columns", "used\n  trust")
    for one in patterns:
        table.add_row(*_cells(one))
    return table


def forgotten_table(patterns: Sequence[Forgotten]) -> Table:
    """Return the table of deleted patterns with the reasons."""
    table = _table("pattern\n  from", "algorithm\n  problem type", "metric\n  best", "why")
    for one in patterns:
        table.add_row(*_cells(one)[:3], one.reason)
    return table


def similar_table(problems: Sequence[SimilarProblem]) -> Table:
    """Return the table of similar problems with their largest differences."""
    table = _table("pattern\n  from", "similarity\n  differs most in", "best\n  rows", "used\n  trust")
    for one in problems:
        pattern = one.pattern
        table.add_row(
            _two(f"[bold]{pattern.pattern_id[:_SHORT]}[/]", _origin(pattern.study_name, pattern.source)),
            _two(f"{pattern.similarity:.3f}", _differs(one)),
            _two(_value(pattern, pattern.best_value), _count(pattern.n_samples)),
            _two(f"{pattern.times_used_as_warmstart} x", f"{pattern.trust:.2f}"),
        )
    return table


def statistics_table(kinds: Sequence[KindStatistics]) -> Table:
    """Return the table of patterns, uses and improvement per kind of problem."""
    table = _table(
        "algorithm\n  problem type", "metric", "patterns\n  starter", "uses\n  that helped", "mean\nimprovement"
    )
    for one in kinds:
        table.add_row(
            _two(one.algorithm_name, one.problem_type.removesuffix("_classification")),
            one.optimization_metric,
            _two(str(one.patterns), str(one.starter)),
            _two(str(one.uses), f"{one.helped} of {one.measured} measured"),
            _number(one.mean_improvement),
        )
    return table


def pattern_card(pattern: StoredPattern, uses: Sequence[PatternUse]) -> RenderableType:
    """Return all facts of a pattern except its trials."""
    facts = {
        "from": _origin(pattern.study_name, pattern.source),
        "stored at": f"{pattern.created_at.astimezone():%Y-%m-%d %H:%M}",
        "of": f"{pattern.algorithm_name} for {pattern.problem_type} by {pattern.optimization_metric}",
        "rows": f"{_count(pattern.n_samples)} by {_count(pattern.n_features)} columns, hash {pattern.data_hash[:12]}",
        "best": f"{_value(pattern, pattern.best_value)}, defaults {_value(pattern, pattern.default_value)}",
        "trials": f"{pattern.n_completed} completed, {pattern.n_pruned} pruned; {len(pattern.trials)} with values",
        "trust": f"{pattern.trust:.2f}; mean improvement {_number(pattern.warmstart_improvement_avg)}",
    }
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, fact in facts.items():
        grid.add_row(Text(name, style="dim"), Text(fact, overflow="fold"))
    parts: list[RenderableType] = [Text(pattern.pattern_id, style="bold"), grid, "\nbest configurations"]
    parts += [_configuration(pattern, one) for one in pattern.top_configurations]
    if pattern.meta_features:
        parts += ["\nmeta-features", Text(_named(pattern.meta_features), overflow="fold")]
    return Group(*parts, "\nused by", _use_table(pattern, uses)) if uses else Group(*parts, "\nnot used yet")


def _use_table(pattern: StoredPattern, uses: Sequence[PatternUse]) -> Table:
    table = _table("study, trial", "similarity", "value", "defaults", "best of\nthe study", "rank")
    for one in uses:
        values = (_value(pattern, value) for value in (one.value, one.default_value, one.best_value))
        rank = f"{one.rank} of {one.n_ranked}" if one.rank else _NONE
        table.add_row(f"{escape(one.study_name)}, {one.trial_number}", f"{one.similarity:.3f}", *values, rank)
    return table


def _configuration(pattern: StoredPattern, stored: Mapping[str, Any]) -> Text:
    return Text(f"{_value(pattern, stored.get('value'))}  {_named(stored.get('values', {}))}", overflow="fold")


def _cells(one: PatternSummary) -> tuple[str, ...]:
    return (
        _two(f"[bold]{one.pattern_id[:_SHORT]}[/]", _origin(one.study_name, one.source)),
        _two(one.algorithm_name, one.problem_type.removesuffix("_classification")),
        _two(one.optimization_metric, _value(one, one.best_value)),
        _two(_count(one.n_samples), _count(one.n_features)),
        _two(f"{one.times_used_as_warmstart} x", f"{one.trust:.2f}"),
    )


def _differs(one: SimilarProblem) -> str:
    if one.compared == "sizes":
        return "only the sizes were compared"
    return ", ".join(_share(part) for part in one.differences[:_MOST_DIFFERENCES]) or "nothing"


def _share(part: Difference) -> str:
    return f"{part.name} {part.share:.0%}"


def _origin(study: str | None, source: str) -> str:
    return escape(study or _NONE) if source == "study" else f"{escape(study or _NONE)} ({escape(source)})"


def _value(pattern: PatternSummary | StoredPattern, value: float | None) -> str:
    """Return a value in the natural orientation of the pattern's metric; unchanged if the metric is unknown."""
    # The memory names the loss after the metric, where there is one.
    name, kind = pattern.optimization_metric.partition(" ")[0], pattern.problem_type
    known = kind in PROBLEM_TYPES and is_metric(name, kind)
    return _number(metric(name, kind).oriented(value) if known and value is not None else value)  # type: ignore[arg-type]


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _two(first: str, second: str) -> str:
    return f"{first}\n  {second}"


def _named(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {_number(value) if isinstance(value, float) else value}" for name, value in values.items()
    )


def _count(value: int | None) -> str:
    return _NONE if value is None else f"{value:,}"


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:.5g}"
