"""The rules between the section `predict` and the sources of an experiment."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from e2i_assets.core.errors import Violation
from e2i_assets.core.experiments.sections import Predict
from e2i_assets.core.experiments.source_section import Source


def violations(parts: Mapping[str, Any]) -> Iterator[Violation]:
    """Check that predictions do not replace rows that the experiment reads."""
    predict: Predict | None = parts.get("predict")
    if predict is None:
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
