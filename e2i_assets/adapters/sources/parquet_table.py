"""Reads a Parquet file, or a folder of Parquet files with one table, as a table or in pieces."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from e2i_assets.adapters.sources.file_content import require_unchanged, stamp
from e2i_assets.adapters.sources.limits import SourceLimits, refused
from e2i_assets.adapters.sources.names import with_composed_texts, with_plain_names
from e2i_assets.adapters.sources.parquet_size import unfolded_bytes
from e2i_assets.core.data.row_places import RowPlaces, with_places
from e2i_assets.core.errors import E2iError

WHERE = "source.parquet"
_HIDDEN = ("_", ".")
_UNFINISHED = "_temporary"
_MOST_FILES = 10_000


def parquet_table(place: Path, name: str, root: Path, limits: SourceLimits) -> pd.DataFrame:
    """Return the rows of a Parquet file or folder.

    Args:
        place: The file or folder.
        name: Its path in the experiment file.
        root: The project folder, the base of relative paths.
        limits: The size limits and allowed folders.

    Raises:
        DataInvalid: It is not Parquet, too large, still being written, or its files have different tables.
    """
    with _reading(place, name, root, limits) as files:
        for size in _sizes(files, name, limits):
            limits.require_size(size, WHERE, name)
        frame = _frame(_dataset(place, files, name).to_table() if place.is_dir() else _file(place), name)
    return _named(frame, name)


def parquet_pieces(place: Path, name: str, root: Path, limits: SourceLimits, rows: int) -> Iterator[pd.DataFrame]:
    """Yield the rows of a Parquet file or folder in pieces of at most this many rows.

    Arguments and errors are those of `parquet_table`; the limit of the size is for one file.
    """
    import pyarrow.parquet as pq

    first = 1
    with _reading(place, name, root, limits) as files:
        sizes = 0
        for size in _sizes(files, name, limits):
            limits.require_size(size - sizes, WHERE, name)
            sizes = size
        batches = (
            _dataset(place, files, name).to_batches(batch_size=rows, batch_readahead=1, fragment_readahead=1)
            if place.is_dir()
            else pq.ParquetFile(place, pre_buffer=False).iter_batches(rows, use_threads=False)
        )
        for batch in batches:
            if batch.num_rows:
                frame = _named(_frame(batch, name), name).reset_index(drop=True)
                yield with_places(frame, RowPlaces("row", first))
                first += len(frame)


@contextmanager
def _reading(place: Path, name: str, root: Path, limits: SourceLimits) -> Iterator[list[Path]]:
    """Yield the files of a table; convert the errors of reading them, and check that they are unchanged afterwards."""
    files = folder_files(place, name, root, limits) if place.is_dir() else [place]
    before = {file: stamp(file) for file in files}
    try:
        yield files
    except E2iError:
        raise
    except Exception as error:  # forged metadata can make Arrow and pandas raise any exception
        for file, known in before.items():
            require_unchanged(file, known, WHERE, name)
        rule = f"is not Parquet that we can read: {type(error).__name__}: {error}"
        raise refused(WHERE, name, rule) from error
    for file, known in before.items():
        require_unchanged(file, known, WHERE, name)


def _sizes(files: list[Path], name: str, limits: SourceLimits) -> Iterator[int]:
    """Check the number of rows, and yield the bytes of the values of all files so far."""
    rows = size = 0
    for file in files:
        counted, unfolded = _measured(file, name, limits)
        rows, size = rows + counted, size + unfolded
        limits.require_rows(rows, WHERE, name)
        yield size


def _frame(table: Any, name: str) -> pd.DataFrame:
    """Return an Arrow table or batch as a table of pandas, which refuses text that is not UTF-8."""
    import pyarrow as pa

    try:
        frame: pd.DataFrame = table.to_pandas()
    except pa.ArrowException:
        for column, cells in zip(table.schema.names, table.columns, strict=True):
            try:
                cells.validate(full=True)
            except pa.ArrowInvalid as error:
                if "UTF8" not in str(error):
                    raise
                rule = f"has text in column {column!r} that is not UTF-8: write it as UTF-8, or leave it out"
                raise refused(WHERE, name, rule) from error
        raise
    return frame


def _named(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    # The index of a table that was written with a named index becomes columns.
    frame = frame.reset_index() if any(frame.index.names) else frame
    return with_composed_texts(with_plain_names(frame, WHERE, name))


def folder_files(place: Path, name: str, root: Path, limits: SourceLimits) -> list[Path]:
    """Return the Parquet files of a folder by name; names that begin with ``_`` or ``.`` are ignored.

    Raises:
        DataInvalid: There is no file, a file is outside the allowed folders or not named as Parquet, or it is being
            written.
    """
    found = []
    for file in _visible(place, name):
        limits.allowed_file(root, str(file), WHERE)
        if file.suffix not in (".parquet", ".parq", ".pq"):
            raise refused(WHERE, name, f"is a folder with {file.name}, which does not have the name of a Parquet file")
        found.append(file)
    if len(found) > _MOST_FILES:
        raise refused(WHERE, name, f"is a folder of more than {_MOST_FILES:,} files: write fewer and larger ones")
    if not found:
        raise refused(WHERE, name, "is a folder without Parquet files")
    return sorted(found)


def _visible(place: Path, name: str) -> Iterator[Path]:
    for one in place.iterdir():
        if one.name == _UNFINISHED:
            raise refused(
                WHERE, name, f"is being written, since it has a folder {_UNFINISHED}: run again when it is complete"
            )
        if one.name.startswith(_HIDDEN):
            continue
        if one.is_dir() and not one.is_symlink():
            yield from _visible(one, name)
        else:
            yield one


def _measured(file: Path, name: str, limits: SourceLimits) -> tuple[int, int]:
    import pyarrow.parquet as pq

    if file.stat().st_size == 0:
        raise refused(
            WHERE, name, "is an empty file" if file.name == Path(name).name else f"has the empty file {file.name}"
        )
    return pq.read_metadata(file).num_rows, unfolded_bytes(file, limits.bytes)


def _file(file: Path) -> Any:
    import pyarrow.parquet as pq

    # As a file and not as a dataset: otherwise a parent folder such as year=2024 would add a column.
    return pq.ParquetFile(file).read()


def _dataset(place: Path, files: list[Path], name: str) -> Any:
    """Return the files of one table as a dataset; folders such as year=2024 in the path become a column."""
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    schemas = [pq.read_schema(file) for file in files]
    for file, schema in zip(files, schemas, strict=True):
        if missing := sorted(set(schemas[0].names) ^ set(schema.names)):
            rule = f"has files of different columns: {missing[0]!r} is in {files[0].name} or in {file.name} alone"
            raise refused(WHERE, name, rule)
    try:
        schema = pa.unify_schemas(schemas, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise refused(WHERE, name, f"has files whose columns have different types: {error}") from error
    parts = ds.HivePartitioning.discover(infer_dictionary=False)
    keys = ds.dataset(
        [str(file) for file in files], format="parquet", partitioning=parts, partition_base_dir=str(place)
    ).schema
    whole = pa.schema([*schema, *(field for field in keys if field.name not in schema.names)], schema.metadata)
    return ds.dataset(
        [str(file) for file in files], schema=whole, format="parquet", partitioning=ds.partitioning(
            pa.schema([field for field in keys if field.name not in schema.names]), flavor="hive"
        ), partition_base_dir=str(place)
    )  # fmt: skip
