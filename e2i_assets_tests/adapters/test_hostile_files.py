"""Regression tests for fuzzing results, and a test that nothing is unpickled."""

import hashlib
import io
import json
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import fuzz_targets
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from e2i_assets.adapters.files import asset_values
from e2i_assets.adapters.files.text_files import FileUnreadable
from e2i_assets.adapters.mlflow.models import ARCHIVE, MANIFEST, ModelInvalid, load_model
from e2i_assets.adapters.settings import Settings
from e2i_assets.adapters.sources import datasets
from e2i_assets.core.data import table_schema
from e2i_assets.core.data.dataset import Dataset, dataset_of
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts
from e2i_assets.core.errors import DataInvalid, E2iError, ExperimentInvalid, SearchSpaceInvalid, Violation, Violations
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.core.experiments.source_section import Source
from e2i_assets.core.memory import warm_start
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search_space.space import adapted_to, parse_space
from e2i_assets.services.data_gates import quality, schema_file, schema_mistakes
from e2i_assets.services.memory_files.pattern_documents import PatternDocument, parsed


class Malicious:
    """Creates a file when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.place,)


def stored(folder: Path, content: bytes) -> None:
    manifest = {"format": "e2i-model-2", "sha256": hashlib.sha256(content).hexdigest(), "libraries": {}}
    (folder / ARCHIVE).write_bytes(content)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def zipped(**members: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name.replace("__", "."), content)
    return target.getvalue()


def pickled_extension(folder: Path, poison: bytes) -> None:
    """Return a Parquet file whose type is a pickle, which Arrow once loaded (CVE-2023-47248)."""
    named = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": poison}
    field = pa.field("y", pa.int64(), metadata=named)
    pq.write_table(pa.table([pa.array([1, 2]), pa.array([1, 2])], schema=pa.schema([field, ("a", pa.int64())])), folder)


def test_a_malicious_pickle_is_executed_in_no_place_where_a_file_is_read(tmp_path: Path) -> None:
    place = tmp_path / "executed"
    poison = pickle.dumps(Malicious(place))
    pickle.loads(poison)
    assert place.exists(), "the poison works"
    place.unlink()

    (tmp_path / "rows.csv").write_bytes(poison)
    (tmp_path / "rows.parquet").write_bytes(poison)
    for source in (Source(csv="rows.csv"), Source(parquet="rows.parquet")):
        with pytest.raises(E2iError):
            datasets.load(source, tmp_path, {})
    pickled_extension(tmp_path / "typed.parquet", poison)
    assert len(datasets.load(Source(parquet="typed.parquet"), tmp_path, {})) == 2
    schema = json.dumps({"__class__": "OrderedDict", "__module__": "collections", "__loader__": "OrderedDictNode"})
    for content in (
        poison,
        zipped(schema__json=poison),
        zipped(schema__json=schema.encode(), model__pkl=poison),
        zipped(schema__json=json.dumps(numpy_file("1.npy")).encode(), **{"1__npy": b"\x93NUMPY\x01\x00" + poison}),
        zipped(schema__json=json.dumps(numpy_file("1.npy")).encode(), **{"1__npy": object_array(poison)}),
    ):
        stored(tmp_path, content)
        with pytest.raises(ModelInvalid):
            load_model(tmp_path)
    for kind in (Dataset, SplitFacts, SearchRows, StudyResult):
        folder = tmp_path / "asset" / kind.__name__
        folder.mkdir(parents=True)
        for name in ("value.json", "table.parquet", "train.parquet", "validation.parquet"):
            (folder / name).write_bytes(poison)
        with pytest.raises(E2iError):
            asset_values.read(kind, folder)
    assert isinstance(parsed(poison.decode("latin-1")), list)
    assert not place.exists()


def numpy_file(name: str) -> dict[str, Any]:
    return {
        "__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode", "type": "numpy", "file": name,
        "__id__": 1, "protocol": 2,
    }  # fmt: skip


def object_array(poison: bytes) -> bytes:
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + poison


def test_a_forged_archive_is_no_model_whatever_its_readers_make_of_it(tmp_path: Path) -> None:
    members = fuzz_targets._members()[0][1]
    packed = bytearray(zipped(**{name.replace(".", "__"): content for name, content in members.items()}))
    packed[60:70] = b"\xff" * 10  # zlib.error, which once ended in a traceback
    for content in (bytes(packed), zipped(schema__json=b"[" * 100_000), zipped(schema__json=b"{}"), zipped()):
        stored(tmp_path, content)
        with pytest.raises(ModelInvalid, match="cannot be read as a model"):
            load_model(tmp_path)


def test_an_archive_that_unfolds_into_more_than_any_model_is_refused_before_it_does(tmp_path: Path) -> None:
    bomb = bytearray(zipped(schema__json=b"{}"))
    described = bomb.index(
        b"PK\x01\x02"
    )  # the entry of the file in the archive's directory; its size is 24 bytes later
    bomb[described + 24 : described + 28] = (4_200_000_000).to_bytes(4, "little")
    stored(tmp_path, bytes(bomb))
    with pytest.raises(ModelInvalid, match="would unpack to 4,200,000,000 bytes"):
        load_model(tmp_path)


def test_a_parquet_file_that_contradicts_itself_is_refused_and_the_process_lives(tmp_path: Path) -> None:
    """Arrow ends the process when it reads the metadata of a column of such a file (found by `make fuzz`)."""
    code = (
        "import random, sys; sys.path[:0] = sys.argv[2:]; import fuzz_targets; from pathlib import Path\n"
        "from e2i_assets.adapters.sources import datasets; from e2i_assets.core.errors import E2iError\n"
        "from e2i_assets.core.experiments.source_section import Source\n"
        "folder = Path(sys.argv[1]); refused = 0\n"
        "for number in range(400):\n"
        "    chance = random.Random(number); content = bytearray(chance.choice(fuzz_targets._parquet_seeds()))\n"
        "    length = int.from_bytes(content[-8:-4], 'little')\n"
        "    for _ in range(chance.randint(1, 3)):\n"
        "        place = chance.randrange(len(content) - 8 - length, len(content) - 8)\n"
        "        content[place] = chance.choice([content[place] ^ (1 << chance.randrange(8)), chance.randrange(256)])\n"
        "    (folder / 'rows.parquet').write_bytes(content)\n"
        "    try: datasets.load(Source(parquet='rows.parquet'), folder, {})\n"
        "    except E2iError: refused += 1\n"
        "print(refused)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), *sys.path], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert 50 < int(ran.stdout) < 400


def test_an_impossible_file_name_is_reported(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(DataInvalid, match=r"is not a valid path: .*name too long"):
        datasets.load(Source(csv="data/" + "a" * 300), tmp_path, {})


def test_quoted_input_in_a_message_is_escaped_for_the_terminal() -> None:
    strange = Violations("rows", [Violation("column \x1b[2J\0\ud800\u202e", "a", "is strange\n\ttoo")])
    assert str(strange) == "rows:\n  - column \\x1b[2J\\x00\\ud800\\u202e: 'a' is strange\n\ttoo"
    assert len(str(E2iError("x" * 10_000_000))) < 20_000


def test_invalid_patterns_are_rejected_and_stored_ones_do_not_break_a_warm_start() -> None:
    """An imported pattern with text in place of a number once ended every later study of its kind with a traceback."""
    seed = fuzz_targets._pattern_seeds()[0]
    assert isinstance(parsed(json.dumps(seed)), PatternDocument)
    experiment = parse_experiment(fuzz_targets.PLAIN, "e.yaml")
    for strange in ("", "NaN", [1], {"a": 1}, True, 10**400, 1e308):
        top = {"values": {"max_depth": strange, "learning_rate": strange}, "value": 0.5}
        if isinstance(strange, list | dict):
            assert isinstance(parsed(json.dumps({**seed, "trials": [top]})), list)
        known = warm_start.Pattern(
            pattern_id="p", study_name="s", similarity=0.5, trust=1.0, top=(seed["top_configurations"][0], top),
            trials=(seed["trials"][0], top),
        )  # fmt: skip
        start = warm_start.warm_start(
            [known], experiment.default_parameters(), experiment.search_space(), 5, {"n_samples": 10.0}, "because"
        )
        assert start.problems[0].regrets


def test_numbers_that_no_double_holds_are_in_no_search_space() -> None:
    for low, high in ((0, 10**400), (-(10**400), 1), (1, 2**53 + 1)):
        with pytest.raises(SearchSpaceInvalid, match=r"a\.(low|high)"):
            parse_space({"a": {"type": "int", "low": low, "high": high}})
    space = parse_space({"a": {"type": "int", "low": 1, "high": 9}, "b": {"type": "float", "low": 0.0, "high": 1.0}})
    assert adapted_to({"a": 10**400, "b": -(10**400)}, space)[0] == {}


def test_an_inferred_schema_takes_the_rows_that_it_was_inferred_from() -> None:
    """Three significant digits of 2025 are 2020: the inferred schema rejected the years 2021 to 2023."""
    frame = pd.DataFrame(
        {"y": ["a", "b"] * 30, "year": [2021, 2022, 2023] * 20, "low": [-2023.0, -2021.5, -2022.0] * 20}
    )
    data = dataset_of(frame, parse_experiment(fuzz_targets.PLAIN, "e.yaml"))
    text = table_schema.inferred(data, "e")
    assert table_schema.violations(text, "e.yaml", data, ()) == []
    assert "less_than_or_equal_to: 2025.0" in text


def test_an_inferred_schema_takes_new_values_of_a_column_that_has_many() -> None:
    towns = [f"t{number}" for number in range(60)] * 2
    known = pd.DataFrame({"y": ["a", "b"] * 60, "town": towns, "size": ["s", "m", "l"] * 40})
    first, second, third = (
        dataset_of(frame, parse_experiment(fuzz_targets.PLAIN, "e.yaml"))
        for frame in (known, known.replace({"town": {"t3": "new"}}), known.replace({"size": {"s": "new"}}))
    )
    text = table_schema.inferred(first, "e")
    assert table_schema.violations(text, "e.yaml", second, ()) == []
    assert table_schema.violations(text, "e.yaml", third, ()) != []


@pytest.mark.parametrize("text", ['"\\ud800"', '"a\\0b"', '{csv: "\\udfff"}'])
def test_a_text_with_a_lone_surrogate_is_rejected_with_its_place(text: str) -> None:
    """Such a text (half of a surrogate pair) was accepted, and made the first hash of the experiment fail."""
    with pytest.raises(ExperimentInvalid, match=r"description.*has a zero byte or a lone surrogate"):
        parse_experiment(fuzz_targets.PLAIN + f"description: {text}\n", "e.yaml")


def test_a_binary_schema_or_quality_report_is_reported(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, state=tmp_path)
    data = fuzz_targets._data()
    experiment = parse_experiment(fuzz_targets.PLAIN + "quality_report: quality.json\n", "e.yaml")
    path = schema_file(settings, "e")
    path.parent.mkdir(parents=True)
    for content, expected in ((b"\xff\xfe", "is not text in UTF-8"), (b" " * 5_000_000, "has more than")):
        path.write_bytes(content)
        (tmp_path / "quality.json").write_bytes(content)
        with pytest.raises(FileUnreadable, match=expected):
            schema_mistakes(settings, experiment, data)
        with pytest.raises(FileUnreadable, match=expected):
            quality(settings, experiment, data)
    (tmp_path / "quality.json").unlink()
    (tmp_path / "quality.json").symlink_to("/etc/hostname")
    with pytest.raises(DataInvalid, match="is outside the project folder"):
        quality(settings, experiment, data)


@pytest.mark.parametrize("depth", [900, 5000, 100_000])
def test_a_too_deeply_nested_document_is_reported_as_damaged(tmp_path: Path, depth: int) -> None:
    nested = "[" * depth + "]" * depth
    for kind in (Dataset, SplitFacts):
        (tmp_path / "dataset" / "e").mkdir(parents=True, exist_ok=True)
        (tmp_path / "dataset" / "e" / "value.json").write_text(nested)
        with pytest.raises(asset_values.AssetDamaged):
            asset_values.read(kind, tmp_path / "dataset" / "e")
    (tmp_path / MANIFEST).write_text(nested)
    with pytest.raises(ModelInvalid):
        load_model(tmp_path)
