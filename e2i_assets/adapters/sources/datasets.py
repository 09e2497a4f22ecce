"""Reading the rows of an experiment: a packaged sample, a CSV or Parquet file, or a query on PostgreSQL."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from e2i_assets.adapters.sources.csv_table import csv_table
from e2i_assets.adapters.sources.limits import SourceLimits, refused, source_limits
from e2i_assets.adapters.sources.names import with_composed_texts, with_plain_names
from e2i_assets.adapters.sources.parquet_table import parquet_table
from e2i_assets.adapters.sources.query import query_rows
from e2i_assets.adapters.sources.sample_data import sample_file
from e2i_assets.core.experiments.source_section import CsvFile, Source
from e2i_assets.core.suggestions import closest


def load(source: Source, root: Path, environment: Mapping[str, str]) -> pd.DataFrame:
    """Read all rows of a source.

    Args:
        source: The source of the experiment.
        root: The project folder, the base of relative paths.
        environment: Variables with the database address of a query and the limits of a source.

    Raises:
        DataInvalid: The file does not exist, is not allowed or is invalid, or the source has too many rows or none.
        E2iError: The database cannot be reached or rejects the query.
    """
    limits = source_limits(environment)
    if source.sample is not None:
        file = Path(str(sample_file(source.sample)))
        frame = csv_table(file, CsvFile(path=source.sample, delimiter=","), "source.sample", limits)
    elif source.csv is not None:
        file = existing(root, source.csv.path, "source.csv", limits)
        frame = csv_table(file, source.csv, "source.csv", limits)
    elif source.parquet is not None:
        folder = limits.allowed_file(root, source.parquet, "source.parquet")
        place = folder if folder.is_dir() else existing(root, source.parquet, "source.parquet", limits)
        frame = parquet_table(place, source.parquet, root, limits)
    else:
        assert source.sql is not None
        named = with_plain_names(query_rows(source.sql, environment), "source.sql.query", source.sql.query)
        frame = with_composed_texts(named)
    if frame.empty:
        raise refused(f"source.{source.kind}", source.place, "has no rows")
    return frame


def existing(root: Path, path: str, where: str, limits: SourceLimits) -> Path:
    """Return the path of a file of a source.

    Raises:
        DataInvalid: It is not a file, or not in an allowed folder; the message suggests another name.
    """
    file = limits.allowed_file(root, path, where)
    if file.is_file():
        return file
    if not file.parent.is_dir():
        raise refused(where, path, f"is not there: {root} has no folder {Path(path).parent}")
    names = sorted(sibling.name for sibling in file.parent.iterdir() if sibling.is_file())
    near = closest(file.name, names)
    hint = f"; did you mean {near!r}?" if near else f": the folder has {', '.join(names[:10]) or 'no files'}"
    raise refused(where, path, f"is not a file in {root}{hint}")
