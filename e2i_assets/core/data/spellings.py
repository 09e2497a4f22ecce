"""Spellings of one value, such as ``mild``, ``Mild`` and ``mild ``: texts that differ by case or spaces alone."""

from collections.abc import Collection, Iterator, Mapping

import pandas as pd

from e2i_assets.core.errors import Violation

# Shorter classes may differ by case: a and A, or Co and CO.
_A_WORD = 3
_RARE = 0.05
_MOST = 3
_OTHERS = 5

Spellings = Mapping[str, int]


def spellings(column: pd.Series) -> list[Spellings]:
    """Return the values with several spellings: the rows of each spelling, the most frequent one first."""
    if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype):
        return []
    counts = column.value_counts()
    texts = [text for text in counts.index if isinstance(text, str)]
    if len({" ".join(text.split()).casefold() for text in texts}) == len(texts):
        return []
    found: dict[str, dict[str, int]] = {}
    for text, rows in counts[counts > 0].items():
        if isinstance(text, str):
            found.setdefault(" ".join(text.split()).casefold(), {})[text] = int(rows)
    return [each for each in found.values() if len(each) > 1]


def spelling_notes(columns: Mapping[str, pd.Series], keys: Collection[str]) -> Iterator[str]:
    """Find the values of a column that have several spellings, which are different values.

    Args:
        columns: The columns by name.
        keys: Columns of names, such as groups: their values may differ by case, but hardly by spaces.
    """
    for name, column in columns.items():
        found = spellings(column)
        if name in keys:
            found = [each for each in found if len({" ".join(one.split()) for one in each}) < len(each)]
        if found:
            more = f", and {len(found) - _MOST:,} more" if len(found) > _MOST else ""
            yield (
                f"{name}: {'; '.join(map(_shown, found[:_MOST]))}{more} differ by case or spaces alone, and are "
                f"different values: write them alike in the source if they mean the same"
            )


def class_violations(name: str, present: pd.Series) -> Iterator[Violation]:
    """Find classes that are surely spellings of one class: words, or one that differs by spaces or is rare.

    An experiment with an order lists each class, so it says what it means.

    Args:
        name: Name of the target.
        present: The classes of the rows, without missing ones.
    """
    for each in spellings(present):
        bare = {" ".join(one.split()) for one in each}
        is_rare = min(each.values()) < _RARE * max(each.values())
        is_one = len(bare) < len(each) or is_rare or len(next(iter(bare))) >= _A_WORD
        if is_one:
            yield Violation(
                "target",
                name,
                f"has one class in {len(each)} spellings: {_shown(each)}; write them alike in the source, or, if they "
                f"are different, give them other names or list all classes under target.order",
            )


def _shown(each: Spellings) -> str:
    some = [f"{text[:40]!r} ({rows:,})" for text, rows in list(each.items())[:_OTHERS]]
    return ", ".join(some) + (f" and {len(each) - _OTHERS:,} more" if len(each) > _OTHERS else "")
