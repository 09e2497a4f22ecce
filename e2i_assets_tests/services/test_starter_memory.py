"""The starter memory: it is loaded once and marked, and stays removed after the user removes it."""

import gzip
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from direct_rows import add_all

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.pattern_writes import StarterPatternRepository
from e2i_assets.adapters.repositories.patterns import PatternRepository
from e2i_assets.core.memory.starter import StarterFile
from e2i_assets.core.search_space.space import parse_space, violations
from e2i_assets.services.memory_files import starter_memory
from e2i_assets.services.memory_files.pattern_files import PatternFileInvalid, PatternFileUnusable, write_patterns
from e2i_assets.services.memory_files.starter_memory import load_starter, shipped_rows


def by_source(tables: Database) -> dict[str, int]:
    sources = [one.source for one in PatternRepository(tables).list()]
    return {source: sources.count(source) for source in sources}


def test_the_starter_memory_is_loaded_once_and_marked(tables: Database, examples: Any) -> None:
    PatternRepository(tables).store(examples.pattern())
    patterns = [examples.pattern() for _ in range(3)]
    store = StarterPatternRepository(tables)
    assert store.load("first", lambda: patterns) == 3
    assert by_source(tables) == {"study": 1, "starter": 3}
    assert store.load("first", lambda: pytest.fail("it is there already")) is None
    last = store.last()
    assert last is not None
    assert (last.starter_hash, last.n_patterns, last.removed_at) == ("first", 3, None)


def test_a_removed_starter_memory_stays_removed_with_a_newer_version(tables: Database, examples: Any) -> None:
    PatternRepository(tables).store(examples.pattern())
    store, patterns = StarterPatternRepository(tables), [examples.pattern() for _ in range(3)]
    store.load("first", lambda: patterns)
    assert store.remove() == 3
    assert by_source(tables) == {"study": 1}
    for starter_hash in ("first", "second"):
        assert store.load(starter_hash, lambda: pytest.fail("nobody wants it")) is None
    assert store.load("first", lambda: patterns, again=True) == 3
    assert by_source(tables) == {"study": 1, "starter": 3}
    assert store.load("second", lambda: patterns) == 3  # after an explicit load, newer versions are loaded again


def test_a_starter_memory_removed_before_loading_is_never_loaded(tables: Database) -> None:
    assert StarterPatternRepository(tables).remove() == 0
    assert StarterPatternRepository(tables).load("first", lambda: pytest.fail("nobody wants it")) is None


def test_a_newer_starter_memory_replaces_the_old_one_and_keeps_trust(
    tables: Database, examples: Any, execute: Callable[..., Any]
) -> None:
    store, dropped, stays = StarterPatternRepository(tables), examples.pattern(), examples.pattern()
    store.load("first", lambda: [dropped, stays])
    pattern_id = next(one.pattern_id for one in PatternRepository(tables).list() if one.spec_hash == stays.spec_hash)
    PatternRepository(tables).record_use(pattern_id, examples.finished_study()[0], 0, 0.9, -0.2)
    store.load("second", lambda: [replace(stays, best_value=0.9), examples.pattern()])
    stored = {one.spec_hash: one for one in PatternRepository(tables).list()}
    assert len(stored) == 2
    assert (stored[stays.spec_hash].best_value, stored[stays.spec_hash].trust) == (0.9, 0.5)
    assert execute("SELECT count(*) FROM procedural_memories") == 2


def test_the_starter_memory_never_replaces_the_pattern_of_a_study(tables: Database, examples: Any) -> None:
    own = examples.pattern(best_value=0.5)
    PatternRepository(tables).store(own)
    StarterPatternRepository(tables).load("first", lambda: [replace(own, best_value=0.9)])
    (stored,) = PatternRepository(tables).list()
    assert (stored.best_value, stored.source) == (0.5, "study")
    assert StarterPatternRepository(tables).remove() == 0


def test_the_shipped_starter_memory_has_each_metric_and_is_found_by_similarity(
    tables: Database, execute: Callable[..., Any]
) -> None:
    count = load_starter(tables)
    assert count == len(list(shipped_rows(starter_memory.SHIPPED.read_bytes())))
    assert by_source(tables) == {"starter": count}
    assert execute("SELECT count(DISTINCT optimization_metric) FROM ml_hpo_patterns") > 10
    one = next(pattern for pattern in PatternRepository(tables).list() if pattern.optimization_metric == "roc_auc")
    similar = PatternRepository(tables).similar(
        algorithm=one.algorithm_name,
        problem_type=one.problem_type,
        metric="roc_auc",
        n_samples=one.n_samples,
        n_features=one.n_features,
        limit=5,
        min_similarity=0.2,
        meta_vector=one.meta_vector,
        meta_version=one.meta_version,
    )
    assert similar[0].pattern_id == one.pattern_id
    assert similar[0].similarity > similar[-1].similarity > 0.2
    assert load_starter(tables) is None


def test_the_starter_memory_has_no_pattern_of_a_shipped_experiment() -> None:
    """Otherwise the first run of a shipped experiment would start from its own result."""
    studies = StarterFile.model_validate_json(gzip.decompress(starter_memory.SHIPPED.read_bytes())).studies
    assert studies
    assert not [one.table for one in studies if "rand" in one.table or "medexp" in one.table]


def test_every_starter_configuration_is_finite_and_within_its_search_space() -> None:
    for row in shipped_rows(starter_memory.SHIPPED.read_bytes()):
        space = parse_space(row.search_space)
        for trial in row.trials:
            assert not violations(trial["values"], space), (row.study_name, trial)
            assert math.isfinite(trial["value"])


def test_a_file_of_patterns_can_be_loaded_as_the_starter_memory(
    tables: Database, examples: Any, tmp_path: Path
) -> None:
    add_all(tables, [examples.pattern() for _ in range(3)])
    path = tmp_path / "starter.jsonl.gz"
    write_patterns(tables, path)
    with tables.begin() as connection:
        connection.exec_driver_sql("DELETE FROM procedural_memories")
    assert load_starter(tables, path) == 3
    assert by_source(tables) == {"starter": 3}
    assert load_starter(tables, path) is None
    assert load_starter(tables) is None  # the shipped memory does not replace the choice of the user


def test_an_invalid_file_is_refused_and_the_starter_memory_stays(
    tables: Database, examples: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    StarterPatternRepository(tables).load("first", lambda: [examples.pattern()])
    (tmp_path / "wrong.jsonl").write_text("{}\n")
    with pytest.raises(PatternFileInvalid, match="line 1, format: None Field required"):
        load_starter(tables, tmp_path / "wrong.jsonl", again=True)
    with pytest.raises(PatternFileUnusable, match="cannot be read: No such file"):
        load_starter(tables, tmp_path / "nowhere.jsonl")
    monkeypatch.setattr(starter_memory, "SHIPPED", tmp_path / "nothing.jsonl.gz")
    with pytest.raises(PatternFileUnusable, match="this installation has no starter memory"):
        load_starter(tables)
    assert by_source(tables) == {"starter": 1}
