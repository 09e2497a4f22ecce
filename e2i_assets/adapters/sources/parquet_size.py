"""The size of a Parquet file in memory: a small file can decompress into more than the machine has."""

from pathlib import Path
from typing import Any

# Bytes of a value in memory, by the physical type of a Parquet column.
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 8}
_TEXT = "BYTE_ARRAY"
_OTHER_WIDTH = 8
_NUMBER = 16
_ROWS_AT_A_TIME = 1024


def unfolded_bytes(file: Path, enough: int) -> int:
    """Return the bytes of all values of a Parquet file in memory, or a number above ``enough``.

    Nothing is decompressed for it: numbers are counted, and dictionary-encoded texts are measured by their lengths and
    the number of their uses. The row group metadata is not used: Arrow aborts the whole process when it contradicts
    itself, while reading such a file raises an error.

    Raises:
        pyarrow.ArrowException, OSError: The file is not Parquet.
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
    """Return the bytes of a column's values, each counted as often as it occurs."""
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
