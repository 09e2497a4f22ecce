"""Reading the rows of an experiment: a packaged sample, a CSV or Parquet file, or a query on PostgreSQL."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from e2i_assets.adapters.sources.limits import SourceLimits, refused, source_limits
from e2i_assets.adapters.sources.query import query_rows
from e2i_assets.adapters.sources.sample_data import sample_file
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.sections import Source
from e2i_assets.core.suggestions import closest

_DELIMITERS = ",;\t|"
# Bytes of a value in memory, by the physical type of a Parquet column.
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 8}
_TEXT = "BYTE_ARRAY"
_OTHER_WIDTH = 8
_NUMBER = 16
_ROWS_AT_A_TIME = 1024


def load(source: Source, root: Path, environment: Mapping[str, str]) -> pd.DataFrame:
    """Read all rows of a source.

    Args:
        source: Of the experiment.
        root: The project folder that its paths start from.
        environment: Where the database address of a query, and the limits of a source, are looked up.

    Raises:
        DataInvalid: There is no such file, it may not be read, it is not what it should be, it has too many rows, or
            none.
        E2iError: The database cannot be reached or refuses the query.
    """
    limits = source_limits(environment)
    if source.sample is not None:
        frame = _csv(sample_file(source.sample).read_bytes(), "source.sample", source.sample, limits)
    elif source.csv is not None:
        file = _existing(root, source.csv, "source.csv", limits)
        limits.require_size(file.stat().st_size, "source.csv", source.csv)
        frame = _csv(file.read_bytes(), "source.csv", source.csv, limits)
    elif source.parquet is not None:
        frame = _parquet(_existing(root, source.parquet, "source.parquet", limits), source.parquet, limits)
    else:
        assert source.sql is not None
        frame = query_rows(source.sql, environment)
    if frame.empty:
        raise refused(f"source.{source.kind}", _name(source), "has no rows")
    return frame


def _name(source: Source) -> str:
    return str(source.sql.query if source.sql else getattr(source, source.kind))


def _existing(root: Path, path: str, where: str, limits: SourceLimits) -> Path:
    file = limits.allowed_file(root, path, where)
    if file.is_file():
        return file
    if not file.parent.is_dir():
        raise refused(where, path, f"is not there: {root} has no folder {Path(path).parent}")
    names = sorted(sibling.name for sibling in file.parent.iterdir() if sibling.is_file())
    near = closest(file.name, names)
    hint = f"; did you mean {near!r}?" if near else f": the folder has {', '.join(names[:10]) or 'no files'}"
    raise refused(where, path, f"is not a file in {root}{hint}")


def _csv(content: bytes, where: str, name: str, limits: SourceLimits) -> pd.DataFrame:
    if not content.strip():
        raise refused(where, name, "is an empty file")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        rule = f"is not a CSV file in UTF-8 (byte {error.start}); if it is Parquet, write parquet: instead of csv:"
        raise refused(where, name, rule) from error
    try:
        delimiter, header = _header(text)
        if "\0" in text or len(header) < 2:
            rule = "its first line has no two columns parted by a comma, semicolon, tab or |"
            raise refused(where, name, f"is not CSV that we can read: {rule}")
        if twice := sorted({column for column in header if header.count(column) > 1}):
            raise refused(where, name, f"has more than one column {', '.join(map(repr, twice))}: rename them")
        frame = pd.read_csv(io.StringIO(text), sep=delimiter, low_memory=False, index_col=False, nrows=limits.rows + 1)
    except (csv.Error, pd.errors.ParserError, pd.errors.ParserWarning, ValueError, OverflowError) as error:
        raise refused(where, name, f"is not CSV that we can read: {error}") from error
    limits.require_rows(len(frame), where, name)
    return frame


def _header(text: str) -> tuple[str, list[str]]:
    first = text.lstrip("\r\n").partition("\n")[0].rstrip("\r")
    delimiter = max(_DELIMITERS, key=first.count)
    return delimiter, next(csv.reader([first], delimiter=delimiter), [])


def _parquet(file: Path, name: str, limits: SourceLimits) -> pd.DataFrame:
    import pyarrow.parquet as pq

    if file.stat().st_size == 0:
        raise refused("source.parquet", name, "is an empty file")
    try:
        limits.require_rows(pq.read_metadata(file).num_rows, "source.parquet", name)
        limits.require_size(unfolded_bytes(file, limits.bytes), "source.parquet", name)
        frame = pd.read_parquet(file)
    except E2iError:
        raise
    except Exception as error:  # what forged descriptions make Arrow and pandas raise is no closed list
        rule = f"is not Parquet that we can read: {type(error).__name__}: {error}"
        raise refused("source.parquet", name, rule) from error
    # A table that was written with an index of its own keeps it as columns.
    return frame.reset_index() if any(frame.index.names) else frame


def unfolded_bytes(file: Path, enough: int) -> int:
    """Return the bytes of all values of a Parquet file in memory, or a number above ``enough``.

    Nothing is unfolded to find out: numbers are counted, and texts that the file holds once for many rows are measured
    by their lengths and how often they are used. What the file says of its pieces is not asked for: Arrow ends the
    whole process over a description that contradicts itself, while it refuses to read such a file with an error.

    Raises:
        pyarrow.ArrowException, OSError: It is no Parquet file.
    """
    import pyarrow.parquet as pq

    described = pq.read_metadata(file)
    total, measured = 0, set()
    for column in (described.schema.column(position) for position in range(described.num_columns)):
        if column.physical_type == _TEXT or column.max_repetition_level:
            measured.add(column.path)
        else:
            total += described.num_rows * _WIDTHS.get(column.physical_type, max(column.length or 0, _OTHER_WIDTH))
    for name in sorted(measured):
        if total > enough:
            break
        total += _measured_bytes(file, name, enough)
    return total


def _measured_bytes(file: Path, name: str, enough: int) -> int:
    import pyarrow.parquet as pq

    total = 0
    with pq.ParquetFile(file, read_dictionary=[name]) as stored:
        for batch in stored.iter_batches(_ROWS_AT_A_TIME, columns=[name]):
            total += sum(map(_bytes_of, batch.columns))
            if total > enough:
                break
    return total


def _bytes_of(column: Any) -> int:
    """Return the bytes of a column's values, each counted as often as it is there."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_struct(kind):
        return sum(map(_bytes_of, column.flatten()))
    if pa.types.is_nested(kind):
        return _bytes_of(column.flatten())
    if not pa.types.is_dictionary(kind):
        return int(column.nbytes)
    if not (pa.types.is_string(kind.value_type) or pa.types.is_binary(kind.value_type)):
        return _NUMBER * len(column)
    return int(pc.sum(pc.binary_length(column.dictionary).take(column.indices)).as_py() or 0)
