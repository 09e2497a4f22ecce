"""Reading new rows in pieces, so that any number of them fits into memory."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pandas as pd

from e2i_assets.adapters.sources.csv_pieces import csv_pieces
from e2i_assets.adapters.sources.datasets import existing, load
from e2i_assets.adapters.sources.limits import SourceLimits, source_limits
from e2i_assets.adapters.sources.parquet_table import parquet_pieces
from e2i_assets.core.data.row_places import RowPlaces, with_places
from e2i_assets.core.experiments.source_section import Source

ROWS_AT_A_TIME = 65_536


def pieces(
    source: Source,
    root: Path,
    environment: Mapping[str, str],
    as_text: Collection[str],
    limits: SourceLimits | None = None,
) -> Iterator[pd.DataFrame]:
    """Yield the rows of a source in pieces; those of a query or a sample are in memory at once.

    Args:
        source: The source.
        root: The project folder, the base of relative paths.
        environment: Variables with the database address of a query and the limits of a source.
        as_text: Columns of a CSV file whose cells stay text.
        limits: The limits of the source; None takes those of the environment.

    Raises:
        DataInvalid: The file does not exist, is not allowed or is invalid, or the source has too many rows.
        E2iError: The database cannot be reached or rejects the query.
    """
    limits = limits or source_limits(environment)
    if source.csv is not None:
        file = existing(root, source.csv.path, "source.csv", limits)
        yield from csv_pieces(file, source.csv, "source.csv", limits, as_text)
    elif source.parquet is not None:
        folder = limits.allowed_file(root, source.parquet, "source.parquet")
        place = folder if folder.is_dir() else existing(root, source.parquet, "source.parquet", limits)
        yield from parquet_pieces(place, source.parquet, root, limits, ROWS_AT_A_TIME)
    else:
        whole = load(source, root, environment)
        for start in range(0, len(whole), ROWS_AT_A_TIME):
            piece = whole.iloc[start : start + ROWS_AT_A_TIME].reset_index(drop=True)
            yield with_places(piece, RowPlaces("row", start + 1))
