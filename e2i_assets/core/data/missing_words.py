"""Which cells mean that a value is missing: a short list, replaced by the experiment where it says otherwise."""

from dataclasses import dataclass

import pandas as pd

from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.source_section import Source

# What R, pandas, SQL, Excel and JSON write for a value that is not there.
WORDS = (
    "NA", "N/A", "n/a", "#N/A", "#NA", "#N/A N/A", "<NA>", "NaN", "nan", "-NaN", "-nan", "NULL", "null", "None",
    "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Missing:
    """What means a missing value in one column.

    Attributes:
        words: Texts, without space around them.
        numbers: Values of a column of numbers.
        declared: Whether the experiment says so, and not the default list.
    """

    words: frozenset[str] = frozenset()
    numbers: tuple[float, ...] = ()
    declared: bool = False

    def in_texts(self, texts: pd.Series) -> pd.Series:
        """Return which distinct texts mean a missing value: one of the words, or one of the numbers as text."""
        bare = texts.str.strip()
        found = bare.isin(self.words)
        if self.numbers:
            found |= pd.to_numeric(bare, errors="coerce").isin(self.numbers)
        return found


def missing_in(experiment: Experiment, source: Source, column: str, is_label: bool) -> Missing:
    """Return what means a missing value in a column.

    Args:
        experiment: May declare it for the column.
        source: May declare it for all columns of a CSV file.
        column: Its name.
        is_label: Whether its words are values by default: the classes of a target, and declared categories.
    """
    declared = experiment.columns.missing.get(column)
    if declared is None and source.csv is not None:
        declared = source.csv.missing
    if declared is not None:
        numbers = tuple(float(one) for one in declared if not isinstance(one, str))
        return Missing(frozenset(one.strip() for one in declared if isinstance(one, str)), numbers, declared=True)
    if is_label or source.has_types:
        return Missing()
    return Missing(frozenset(WORDS))
