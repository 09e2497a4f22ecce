"""The starter memory: patterns of studies of public data sets, in a file in this package."""

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.pattern_rows import STARTER, PatternRow
from e2i_assets.adapters.repositories.pattern_writes import StarterPatternRepository
from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.memory import meta_vector
from e2i_assets.core.memory.starter import StarterFile, StarterPattern, patterns
from e2i_assets.services.memory_files.pattern_files import PatternFileUnusable, file_rows

_OF_A_PERSON = "file:"
SHIPPED = Path(__file__).with_name("starter_memory.json.gz")


def load_starter(database: Database, path: Path | None = None, again: bool = False) -> int | None:
    """Load a starter memory unless one is loaded or was removed by the user.

    Args:
        database: Database of the memory.
        path: A file written by `e2i memory export`; by default the file of the package.
        again: Load it in any case.

    Returns:
        The number of loaded patterns; None if nothing was loaded.

    Raises:
        PatternFileInvalid: Lines are not valid; it lists the errors of each.
        PatternFileUnusable: The file is missing or unreadable.
    """
    if path is None and not SHIPPED.is_file():
        raise PatternFileUnusable("this installation has no starter memory: use a file written by e2i memory export")
    found = path or SHIPPED
    try:
        content = found.read_bytes()
    except OSError as error:
        raise PatternFileUnusable(f"{found} cannot be read: {error.strerror or error}") from error
    # The vector scaling is part of the version: a search would never find patterns with an older scaling.
    digest = hashlib.sha256(content + str(meta_vector.VERSION).encode()).hexdigest()
    store = StarterPatternRepository(database)
    if path is not None:
        return store.load(f"{_OF_A_PERSON}{digest}", lambda: file_rows(path, STARTER), again)
    last = store.last()
    if last is not None and last.starter_hash.startswith(_OF_A_PERSON) and not again:
        return None  # the user's own starter memory is not replaced
    return store.load(digest, lambda: shipped_rows(content), again)


def shipped_rows(content: bytes) -> Iterator[PatternRow]:
    """Return the patterns of the package's file: one per study and metric."""
    for study in StarterFile.model_validate_json(gzip.decompress(content)).studies:
        for pattern in patterns(study):
            yield _row(pattern)


def _row(pattern: StarterPattern) -> PatternRow:
    study = pattern.study
    features = study.meta_features
    return PatternRow(
        spec_hash=content_hash({"starter": study.table, "algorithm": study.algorithm, "metric": pattern.metric}),
        data_hash=content_hash({"starter": study.table}),
        algorithm_name=study.algorithm,
        problem_type=study.problem_type,
        search_space=study.search_space,
        best_hyperparameters=pattern.top[0]["values"],
        top_configurations=pattern.top,
        trials=pattern.trials,
        best_value=pattern.top[0]["value"],
        default_value=pattern.default_value,
        optimization_metric=pattern.metric,
        n_samples=int(features["n_samples"]),
        n_features=int(features["n_features"]),
        n_classes=study.n_classes,
        class_balance=features.get("class_balance"),
        feature_types={"categorical": features["share_categorical"], "numeric": 1 - features["share_categorical"]},
        meta_features=features,
        meta_vector=meta_vector.meta_vector(features),
        meta_version=meta_vector.VERSION,
        n_trials=len(study.trials),
        n_completed=len(pattern.trials),
        duration_seconds=study.seconds,
        study_name=f"starter: {study.table}",
        source=STARTER,
    )
