"""What must hold between the split, the columns and the gates of an experiment."""

from collections.abc import Iterator, Sequence

from e2i_assets.core.errors import Violation
from e2i_assets.core.experiments.sections import Columns, Leakage, Split, Target


def split_violations(split: Split, target: Target, columns: Columns) -> Iterator[Violation]:
    """Judge how the rows are placed."""
    if split.gap and not columns.time:
        yield Violation("split.gap", split.gap, "lies between times: it needs columns.time")
    if split.column is None:
        return
    if split.gap:
        yield Violation("split.gap", split.gap, "does nothing with split.column: leave its rows out of the source")
    if split.column in (target.column, target.name):
        yield Violation("split.column", split.column, "is the target: it cannot have another role")
    others = {"group": columns.group, "time": columns.time}
    lists = {"id": columns.id, "drop": columns.drop, "categorical": columns.categorical}
    taken = [where for where, name in others.items() if name == split.column]
    taken += [where for where, names in lists.items() if split.column in names]
    for where in taken:
        yield Violation(f"columns.{where}", split.column, "says the role of each row (split.column): take it out here")


def segment_violations(segments: Sequence[str], target: Target) -> Iterator[Violation]:
    """Judge the columns by which the model is judged."""
    for name in segments:
        if name in (target.column, target.name):
            yield Violation("segments", name, "is the target: a model cannot be judged by what it should find out")


def leakage_violations(leakage: Leakage, columns: Columns) -> Iterator[Violation]:
    """Judge what is accepted although it looks like leakage."""
    for name in leakage.accepted:
        if name in columns.drop:
            yield Violation("leakage.accepted", name, "is dropped, so there is nothing to accept: take it out here")
