"""Looks at the rows of a source, and suggests an experiment file for them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from pydantic import ValidationError

from e2i_assets.adapters.settings import Settings
from e2i_assets.adapters.sources import datasets
from e2i_assets.adapters.sources.csv_options import suggested_options
from e2i_assets.adapters.sources.limits import source_limits
from e2i_assets.core.data.column_profile import ColumnProfile, profile_of, written
from e2i_assets.core.data.suggested_columns import Cleaned, cleaned, suggested, target_of
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.source_section import Source
from e2i_assets.core.experiments.template import Draft
from e2i_assets.core.figures import shortened
from e2i_assets.core.metrics import ProblemType

_HEAD = 1000
_LONGEST = 24


@dataclass(frozen=True, slots=True)
class LookedAt:
    """The rows of a source.

    Attributes:
        source: The source, with the options that its file needs.
        why: The reason of each of these options.
        cells: The settled cells.
        rows: The number of rows.
    """

    source: Source
    why: Mapping[str, str]
    cells: Cleaned
    rows: int

    def likely_target(self) -> str:
        """Return the last column that can be a target."""
        return target_of(self.cells.table, self.cells.drop)

    def profiles(self) -> list[ColumnProfile]:
        """Return the profile of each column with its first value: it is for a person who has the rows."""
        profiles = [profile_of(str(name), column) for name, column in self.cells.table.items()]
        columns = (self.cells.table[one.column] for one in profiles)
        pairs = zip(profiles, columns, strict=True)
        return [one.model_copy(update={"example": _first(column, one.type)}) for one, column in pairs]


def source_of(**given: Any) -> Source:
    """Return a source from the options of a command.

    Raises:
        E2iError: Not exactly one kind is given, or a path is not valid.
    """
    kinds = {kind: value for kind, value in given.items() if value is not None}
    if len(kinds) != 1:
        raise E2iError(f"an experiment has one source: use one of {', '.join(f'--{kind}' for kind in given)}, not both")
    if "sql" in kinds:
        kinds = {"sql": {"query": kinds["sql"]}}
    try:
        return Source.model_validate(kinds)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise E2iError(f"source.{'.'.join(map(str, first['loc']))}: {first['input']!r} {first['msg']}") from None


def look(settings: Settings, source: Source) -> LookedAt:
    """Read the rows of a source, with the options of a CSV file that the reader would ask for.

    Raises:
        DataInvalid: The rows cannot be read.
        E2iError: The database cannot be reached or rejects the query.
    """
    limits = source_limits(settings.environment)
    used = source
    if source.csv is not None:
        file = limits.allowed_file(settings.root, source.csv.path, "source.csv")
        if file.is_file():
            used = Source(csv=suggested_options(file, source.csv, "source.csv", limits))
    raw = datasets.load(used, settings.root, settings.environment)
    return LookedAt(used, _reasons(used, raw), cleaned(raw, used), len(raw))


def draft(seen: LookedAt, target: str, problem_type: ProblemType | None, blank: Draft) -> Draft:
    """Return the suggested experiment.

    Args:
        seen: The rows.
        target: The column to predict.
        problem_type: The problem type, None to take the one that fits.
        blank: What is known without the rows.

    Raises:
        E2iError: The target does not exist or cannot be one.
    """
    found = suggested(seen.cells, target, problem_type)
    columns = {key: getattr(found, key) for key in found.__dataclass_fields__}
    return replace(blank, source=seen.source, why=seen.why, **columns)


def _reasons(source: Source, raw: pd.DataFrame) -> dict[str, str]:
    options = source.csv.options if source.csv else {}
    found = {}
    if "encoding" in options:
        word = next((word for word in _words(raw) if not word.isascii()), "")
        found["encoding"] = f"the file is not UTF-8{f'; check that {word} is spelt correctly' if word else ''}"
    if "skip_rows" in options:
        found["skip_rows"] = f"the columns are {', '.join(map(str, raw.columns[:3]))}, ..."
    return found


def _words(raw: pd.DataFrame) -> list[str]:
    texts = [str(name) for name in raw.columns]
    for _, column in raw.head(_HEAD).select_dtypes(include=["object", "string", "category"]).items():
        texts += column.dropna().map(str).tolist()
    return re.findall(r"\w+", " ".join(texts))


def _first(column: pd.Series, kind: str) -> str:
    present = column.dropna()
    text = "" if present.empty else " ".join(written(present.iloc[0], kind).split())
    return shortened(text, _LONGEST)
