"""The starter memory that ships with the product: a file of studies of public tables beside this module."""

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
    """Put a starter memory into the memory unless it is there, or somebody took one out.

    Args:
        database: Whose memory.
        path: A file of patterns, as `e2i memory export` writes them; default the studies that ship.
        again: Load it in any case.

    Returns:
        How many patterns it has; None when nothing was loaded.

    Raises:
        PatternFileInvalid: With the mistakes of each line.
        PatternFileUnusable: The file is not there or cannot be read.
    """
    if path is None and not SHIPPED.is_file():
        raise PatternFileUnusable("this installation ships no starter memory: name a file that e2i memory export wrote")
    found = path or SHIPPED
    try:
        content = found.read_bytes()
    except OSError as error:
        raise PatternFileUnusable(f"{found} cannot be read: {error.strerror or error}") from error
    # The scales of the vectors are part of what is loaded: patterns of an older version would be found by nobody.
    digest = hashlib.sha256(content + str(meta_vector.VERSION).encode()).hexdigest()
    store = StarterPatternRepository(database)
    if path is not None:
        return store.load(f"{_OF_A_PERSON}{digest}", lambda: file_rows(path, STARTER), again)
    last = store.last()
    if last is not None and last.starter_hash.startswith(_OF_A_PERSON) and not again:
        return None  # somebody's own choice is not replaced by what ships
    return store.load(digest, lambda: shipped_rows(content), again)


def shipped_rows(content: bytes) -> Iterator[PatternRow]:
    """Return the patterns of the file that ships: one for each study and metric."""
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
