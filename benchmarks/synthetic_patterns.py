"""A synthetic memory of any size: clustered problems, each tuned with several algorithms, with one rare kind."""

import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.core.memory.meta_vector import NAMES

# Algorithm, problem type and metric, with their shares; the rest belongs to the rare kind.
_ALGORITHMS = ("XGBoost", "LightGBM", "RandomForest", "ExtraTrees", "GradientBoosting")
_TYPES = (
    ("binary_classification", "roc_auc", 0.40),
    ("binary_classification", "f1", 0.08),
    ("multiclass_classification", "f1_weighted", 0.15),
    ("regression", "rmse", 0.30),
    ("regression", "mae", 0.069),
)
RARE = ("LogisticRegression", "multiclass_classification", "log_loss")
RARE_SHARE = 0.001
_WEIGHTS = (0.4, 0.3, 0.15, 0.1, 0.05)
_CHUNK = 50_000
# About the size of a stored study without its trials, which are stored separately.
_ROW = """
    INSERT INTO ml_hpo_patterns (
        pattern_id, procedure_id, spec_hash, data_hash, algorithm_name, problem_type, optimization_metric, search_space,
        best_hyperparameters, top_configurations, best_value, n_samples, n_features, n_trials, n_completed,
        meta_features, trials, meta_vector, meta_version, source, study_name
    )
    SELECT md5(number::text)::uuid, md5(number::text)::uuid, md5('spec' || number), md5('data' || problem), algorithm,
           type, metric, space, configuration, jsonb_build_array(top, top, top, top, top), 0.5, 1000, 10, 60, 60,
           '{"n_samples": 1000}', jsonb_build_array(top), vector, 1, 'synthetic', 'study ' || number
    FROM synthetic, (
        SELECT jsonb_object_agg('parameter_' || i, '{"type": "float", "low": 0.001, "high": 10.0}'::jsonb) AS space,
               jsonb_object_agg('parameter_' || i, 0.123456789 * i) AS configuration,
               jsonb_build_object('value', 0.5, 'values', jsonb_object_agg('parameter_' || i, 0.123456789 * i)) AS top
        FROM generate_series(1, 8) AS i
    ) AS documents
"""
_PREPARE = """
    CREATE UNLOGGED TABLE synthetic (
        number bigint, problem bigint, algorithm text, type text, metric text, vector real[]
    )
"""
_MEMORIES = """
    INSERT INTO procedural_memories (procedure_id, procedure_name, procedure_type, tool_sequence)
    SELECT md5(number::text)::uuid, 'hpo', 'optimization', '{}' FROM synthetic
"""


@dataclass(frozen=True, slots=True)
class Synthetic:
    """Synthetic patterns: the vector of each, shape (n, 16), single precision, and its index in `kinds`."""

    vectors: NDArray[np.float32]
    problems: NDArray[np.int64]
    kind_of: NDArray[np.int64]
    kinds: tuple[tuple[str, str, str], ...]


def synthetic(count: int, seed: int = 0) -> Synthetic:
    """Return synthetic patterns: one problem per eight patterns, in clusters whose width fits the scales of the vector.

    Patterns of one problem differ slightly, as when its rows change between studies.
    """
    draw = np.random.default_rng(seed)
    kinds = [(algorithm, kind, metric) for algorithm in _ALGORITHMS for kind, metric, _ in _TYPES] + [RARE]
    shares = [part * share for part in _WEIGHTS for _, _, share in _TYPES] + [RARE_SHARE]
    clusters = draw.normal(0, 0.25, (max(20, count // 2000), len(NAMES)))
    problems = max(1, count // 8)
    centres = clusters[draw.integers(len(clusters), size=problems)] + draw.normal(0, 0.08, (problems, len(NAMES)))
    problem_of = draw.integers(problems, size=count)
    vectors = (centres[problem_of] + draw.normal(0, 0.01, (count, len(NAMES)))).astype(np.float32)
    kind_of = draw.choice(len(kinds), size=count, p=np.array(shares) / sum(shares))
    return Synthetic(vectors, problem_of, kind_of, tuple(kinds))


def stored(database: Database, patterns: Synthetic) -> None:
    """Write the patterns into an empty memory, without the vector index, and update the statistics."""
    with database.begin() as connection:
        connection.exec_driver_sql("DROP INDEX IF EXISTS ml_hpo_patterns_by_vector")
        connection.exec_driver_sql(_PREPARE)
        with closing(connection.connection.cursor()) as cursor:
            for lines in _lines(patterns):
                cursor.copy_expert("COPY synthetic FROM STDIN", io.StringIO(lines))
        connection.exec_driver_sql(_MEMORIES)
        connection.exec_driver_sql(_ROW)
        connection.exec_driver_sql("DROP TABLE synthetic")
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE ml_hpo_patterns"))


def _lines(patterns: Synthetic) -> Iterator[str]:
    for start in range(0, len(patterns.vectors), _CHUNK):
        part = slice(start, start + _CHUNK)
        rows = zip(patterns.problems[part], patterns.kind_of[part], patterns.vectors[part].tolist(), strict=True)
        yield "".join(
            f"{number}\t{problem}\t" + "\t".join(patterns.kinds[kind]) + "\t{" + ",".join(map(repr, vector)) + "}\n"
            for number, (problem, kind, vector) in enumerate(rows, start=start)
        )
