"""The rules between the section `predict` and the sources of an experiment."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from e2i_assets.core.errors import Violation
from e2i_assets.core.experiments.predict_section import Predict
from e2i_assets.core.experiments.sections import Columns
from e2i_assets.core.experiments.source_section import Source


def violations(parts: Mapping[str, Any]) -> Iterator[Violation]:
    """Check that predictions have one place, a key if it is a table, and do not replace rows that are read."""
    predict: Predict | None = parts.get("predict")
    if predict is None:
        return
    columns: Columns | None = parts.get("columns")
    if (predict.to is None) == (predict.table is None):
        yield Violation("predict", "to, table", "take one of the two: a Parquet file (to), or a table")
    if predict.table is not None and columns is not None and not columns.id:
        rule = "needs columns.id: the columns whose values identify a row, so that each row is in it once"
        yield Violation("predict.table", predict.table.name, rule)
    if predict.to is None:
        return
    watch = parts.get("watch")
    sources: dict[str, Source | None] = {
        "source": parts.get("source"),
        "watch.recent": watch.recent if watch else None,
        "predict.source": predict.source,
    }
    to = PurePosixPath(predict.to)
    for where, source in sources.items():
        if source is not None and source.kind in ("csv", "parquet"):
            place = PurePosixPath(source.place)
            if to == place or place in to.parents:
                yield Violation("predict.to", predict.to, f"is read as {where}: write to another folder")
