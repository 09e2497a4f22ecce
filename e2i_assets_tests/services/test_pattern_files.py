"""Export and import of the pattern memory as a file, between two PostgreSQL databases."""

import gzip
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from direct_rows import add_all

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.pattern_rows import StoredPattern
from e2i_assets.adapters.repositories.patterns import PatternRepository
from e2i_assets.services.memory_files.pattern_files import (
    PatternFileInvalid,
    PatternFileUnusable,
    read_patterns,
    write_patterns,
)


def full(examples: Any, number: int = 0, **changes: Any) -> Any:
    """Return a pattern with a value in every field."""
    given = {
        "n_classes": 2,
        "feature_types": {"numeric": 0.5, "categorical": 0.5},
        "meta_features": {"n_samples": 1000.0, "log_n_samples": 3.0},
        "duration_seconds": 1.25,
        "top_configurations": [{"values": {"max_depth": 3, "booster": "dart"}, "value": 0.75, "trial_number": 4}],
        "trials": [{"values": {"max_depth": depth}, "value": depth / 10 + 0.1} for depth in range(2, 6)],
        "default_value": 0.1 + 0.2,
        "meta_vector": [number / 3, *[0.1] * 15],
        "meta_version": 1,
    }
    return examples.pattern(**given | changes)


def patterns_in(database: Database) -> dict[str, StoredPattern]:
    return {one.pattern_id: one for one in PatternRepository(database).list()}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def exported(tables: Database, examples: Any, tmp_path: Path) -> Path:
    """Export two patterns to a file, and empty the memory."""
    ids = [PatternRepository(tables).store(full(examples, number, spec_hash=f"s{number}")) for number in range(2)]
    write_patterns(tables, tmp_path / "memory.jsonl")
    with tables.begin() as connection:
        connection.exec_driver_sql("DELETE FROM procedural_memories")
    assert [line["pattern_id"] for line in lines(tmp_path / "memory.jsonl")] == ids
    return tmp_path / "memory.jsonl"


@pytest.mark.parametrize("name", ["memory.jsonl", "memory.jsonl.gz"])
def test_an_import_restores_patterns_unchanged_with_their_ids(
    database: Database, other_database: Database, examples_of: Callable[[Database], Any], tmp_path: Path, name: str
) -> None:
    examples = examples_of(database)
    patterns = [full(examples, number) for number in range(450)]
    bare = examples.pattern(study_name=None, class_balance=None, n_samples=None, n_features=None, search_space={})
    add_all(database, [*patterns, bare, full(examples, source="starter")])
    assert write_patterns(database, tmp_path / name) == 451
    assert (tmp_path / name).read_bytes().startswith(b"\x1f\x8b") is name.endswith(".gz")
    assert read_patterns(other_database, tmp_path / name, "import:north") == (451, 451)
    there, here = patterns_in(other_database), patterns_in(database)
    assert len(there) == 451
    for pattern_id, pattern in there.items():
        arrived = replace(pattern, created_at=here[pattern_id].created_at)
        assert arrived == replace(here[pattern_id], source="import:north")
    assert read_patterns(other_database, tmp_path / name, "import:again") == (0, 451)
    assert patterns_in(other_database) == there


def test_an_import_does_not_change_known_patterns(tables: Database, examples: Any, tmp_path: Path) -> None:
    pattern_id = PatternRepository(tables).store(full(examples))
    before = patterns_in(tables)
    write_patterns(tables, tmp_path / "memory.jsonl")
    assert read_patterns(tables, tmp_path / "memory.jsonl", "import:north") == (0, 1)
    assert patterns_in(tables) == before
    assert before[pattern_id].source == "study"


def test_equal_patterns_are_exported_to_equal_files(tables: Database, examples: Any, tmp_path: Path) -> None:
    add_all(tables, [full(examples) for _ in range(3)])
    for name in ("one.gz", "two.gz"):
        write_patterns(tables, tmp_path / name)
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()


def test_an_export_replaces_a_file_only_with_force(tables: Database, tmp_path: Path) -> None:
    path = tmp_path / "memory.jsonl"
    path.write_text("mine")
    with pytest.raises(PatternFileUnusable, match=r"exists already.*--force"):
        write_patterns(tables, path)
    assert path.read_text() == "mine"
    assert write_patterns(tables, path, force=True) == 0
    assert path.read_text() == ""
    assert [one.name for one in tmp_path.iterdir()] == ["memory.jsonl"]


def test_a_path_that_cannot_be_written_is_an_error_that_names_it(tables: Database, tmp_path: Path) -> None:
    with pytest.raises(PatternFileUnusable, match=r"nowhere/memory\.jsonl cannot be written: No such file"):
        write_patterns(tables, tmp_path / "nowhere" / "memory.jsonl")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"best_value": "high"}, "line 2, best_value: 'high' Input should be a valid number"),
        ({"best_value": True}, "line 2, best_value: True Input should be a valid number"),
        ({"best_value": float("nan")}, "line 2, text: .* is not a JSON document: NaN is not a number"),
        ({"n_samples": 10.5}, "line 2, n_samples: 10.5 Input should be a valid integer"),
        ({"n_samples": 2**63}, "line 2, n_samples"),
        ({"class_balance": 1.5}, "line 2, class_balance: 1.5 Input should be less than or equal to 1"),
        ({"problem_type": "clustering"}, "line 2, problem_type: 'clustering'"),
        ({"best_hyperparameters": {}}, "line 2, best_hyperparameters"),
        ({"search_space": {"x": {"type": "int", "low": 3, "high": 1}}}, r"line 2, search_space\.x"),
        ({"trials": [{"values": {}}]}, r"line 2, trials\.0\.value: None Field required"),
        ({"trials": [{"values": 3, "value": 1.0}]}, r"line 2, trials\.0\.values: 3"),
        ({"meta_features": {"n_samples": "many"}}, r"line 2, meta_features\.n_samples"),
        ({"meta_vector": [0.5]}, "line 2, meta_vector"),
        ({"meta_vector": None}, "line 2, pattern: None Value error, meta_vector and meta_version require each other"),
        ({"meta_vector": [1e39, *[0.0] * 15]}, r"line 2, meta_vector\.0"),
        ({"n_completed": 99}, "n_completed plus n_pruned exceeds n_trials"),
        ({"pattern_id": "00000000-0000-0000-0000-000000000000"}, "pattern_id is not the id that follows"),
        ({"format": 2}, "line 2, format: 2 Input should be 1"),
        ({"password": "x"}, "line 2, password: 'x' Extra inputs are not permitted"),
        ({"study_name": "a\x00b"}, "is a character that PostgreSQL cannot store"),
    ],
)
def test_an_invalid_line_is_reported_with_its_number_and_nothing_is_imported(
    tables: Database, exported: Path, change: dict[str, Any], complaint: str
) -> None:
    first, second = lines(exported)
    exported.write_text(json.dumps(first) + "\n" + json.dumps(second | change) + "\n")
    with pytest.raises(PatternFileInvalid, match=complaint):
        read_patterns(tables, exported, "import:north")
    assert patterns_in(tables) == {}


@pytest.mark.parametrize("text", ["{", "[1]", "3", '{"best_value": 1e999}', "[" * 100_000])
def test_a_line_that_is_not_a_pattern_is_reported(tables: Database, exported: Path, text: str) -> None:
    exported.write_text(exported.read_text() + "\n" + text + "\n")
    with pytest.raises(PatternFileInvalid, match=r"memory\.jsonl \(nothing was imported\):\n  - line 4, "):
        read_patterns(tables, exported, "import:north")
    assert patterns_in(tables) == {}


def test_the_errors_of_all_lines_are_reported_together_up_to_a_limit(tables: Database, exported: Path) -> None:
    wrong = lines(exported)[0] | {"best_value": None, "n_trials": -1}
    exported.write_text((json.dumps(wrong) + "\n") * 3)
    with pytest.raises(PatternFileInvalid) as raised:
        read_patterns(tables, exported, "import:north")
    assert str(raised.value).count("\n") == 6
    exported.write_text((json.dumps(wrong) + "\n") * 1000)
    with pytest.raises(PatternFileInvalid) as raised:
        read_patterns(tables, exported, "import:north")
    assert str(raised.value).count("\n") == 20


def test_a_file_that_is_not_an_export_is_refused(tables: Database, exported: Path, tmp_path: Path) -> None:
    with pytest.raises(PatternFileUnusable, match="does not exist"):
        read_patterns(tables, tmp_path / "nowhere.jsonl", "import:north")
    whole = gzip.compress(exported.read_bytes())
    for content, complaint in ((b"", "has no patterns"), (b"\xff\xfe", "damaged"), (whole[:-9], "damaged")):
        exported.write_bytes(content)
        with pytest.raises(PatternFileUnusable, match=complaint):
            read_patterns(tables, exported, "import:north")
    with pytest.raises(PatternFileUnusable, match="damaged or not a pattern file"):
        read_patterns(tables, tmp_path, "import:north")
    assert patterns_in(tables) == {}


def test_every_field_of_a_pattern_is_exported(tables: Database, examples: Any, tmp_path: Path) -> None:
    pattern = full(examples)
    PatternRepository(tables).store(pattern)
    write_patterns(tables, tmp_path / "memory.jsonl")
    assert lines(tmp_path / "memory.jsonl")[0].keys() == {*asdict(pattern), "pattern_id", "format"}
