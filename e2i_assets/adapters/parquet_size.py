"""How large a Parquet file is once it is read: a small file can unfold into more than the machine has."""

from pathlib import Path
from typing import Any

_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 8}
_TEXT = "BYTE_ARRAY"
# What pandas needs for one text besides its characters.
_TEXT_OVERHEAD = 8
_NUMBER = 16
_ROWS_AT_A_TIME = 1024


def unfolded_bytes(file: Path, enough: int) -> int:
    """Return the bytes of all values of a file, or as many of them as are more than enough.

    Nothing is unfolded to find out: numbers are counted, and texts that the file holds once for many rows are measured
    by their lengths and how often they are used.

    Raises:
        pyarrow.ArrowException, OSError: It is no Parquet file.
    """
    import pyarrow.parquet as pq

    described = pq.read_metadata(file)
    total, texts = 0, set()
    for group in (described.row_group(number) for number in range(described.num_row_groups)):
        for position in range(group.num_columns):
            column = group.column(position)
            total += max(column.total_uncompressed_size, column.num_values * _width(column, described, position))
            if column.physical_type == _TEXT:
                texts.add(column.path_in_schema)
    for name in sorted(texts):
        if total > enough:
            break
        total += _text_bytes(file, name, enough)
    return total


def _width(column: Any, described: Any, position: int) -> int:
    length = described.schema.column(position).length or 0  # of values that all have the same one
    return _WIDTHS.get(column.physical_type, max(length, _TEXT_OVERHEAD))


def _text_bytes(file: Path, name: str, enough: int) -> int:
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
