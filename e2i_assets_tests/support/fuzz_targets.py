"""The fuzz targets: each input from outside, with a generator of hostile cases."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import fuzz_columns as columns
import fuzz_command_line as command_line
import fuzz_exact as exact
import fuzz_meaning as meaning
import fuzz_outside as outside
import fuzz_values as values
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from hypothesis import strategies as st

from e2i_assets.adapters.files import asset_values
from e2i_assets.adapters.files.experiment_files import read_experiment
from e2i_assets.adapters.files.text_files import text_of
from e2i_assets.adapters.mlflow.models import ARCHIVE, MANIFEST, load_model, save_model
from e2i_assets.adapters.sources import datasets
from e2i_assets.adapters.sources.fingerprints import Fingerprints
from e2i_assets.adapters.sources.limits import source_limits
from e2i_assets.core.contracts.contract import HpoOutput, TrainingOutput
from e2i_assets.core.contracts.violations import training_violations_of, violations_of
from e2i_assets.core.data import given_quality, table_schema
from e2i_assets.core.data.dataset import Dataset, dataset_of
from e2i_assets.core.data.quality import assess
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts
from e2i_assets.core.errors import DataInvalid
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from, parse_experiment
from e2i_assets.core.experiments.source_section import CsvFile, Source
from e2i_assets.core.memory import warm_start
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search.tuning import Tuned
from e2i_assets.core.search_space.space import adapted_to, parse_space
from e2i_assets.services.memory_files.pattern_documents import PatternDocument, parsed

ROOT = Path(__file__).parents[2]
LIMITS = {"E2I_SOURCE_ROWS": "20000", "E2I_SOURCE_MB": "20"}
PLAIN = "name: e\nowner: team:t\nsource: {csv: rows.csv}\ntarget: y\nproblem_type: binary_classification\nalgorithm: XGBoost\n"
RICH = PLAIN + (
    "description: d\npositive_label: b\ncolumns: {group: g, time: t, id: [i], drop: [d], categorical: [c]}\n"
    "split: {seed: 1, gap: 2}\nleakage: {maximum_auc: 0.9, accepted: {a: why}}\nmetric: f1\n"
    "search_space: {max_depth: {low: 2, high: 5}, learning_rate: {type: float, low: 0.01, high: 0.3, log: true}, gamma: null}\n"
    "imbalance: none\nfixed: {subsample: 0.5}\nhpo: {trials: 5, timeout_hours: 0.5, sampler: tpe, pruner: null, seed: 3, "
    "constraints: {model_size: 500000}, objectives: [], tolerance: 0, workers: 1, trial_seconds: 3}\n"
    "early_stopping: {enabled: true, patience: 5}\nwarm_start: {enabled: true, min_similarity: 0.2}\n"
    "watch: {recent: {csv: new.csv}, largest_psi: 0.3}\nsegments: [c]\nsuccess_criteria: {roc_auc: 0.7}\ntags: {a: b}\n"
)
CUT = PLAIN.replace("target: y", "target: {column: n, name: y, bins: [1, 5], labels: [low, middle, high]}").replace(
    "binary_class", "multiclass_class"
)
SHIPPED = [path.read_bytes() for path in sorted((ROOT / "experiments").glob("*.yaml"))]
ROWS = "y,a,c,g\n" + "".join(f"{'ab'[n % 2]},{n * 1.5},{'pqr'[n % 3]},{n // 2}\n" for n in range(30))


@dataclass(frozen=True, slots=True)
class Target:
    """One input from outside.

    Attributes:
        name: Its name.
        made: The strategy that generates cases.
        tried: Runs one case in a separate folder.
        share: Its share of the cases of a long run.
        before: Prepares what all cases share.
    """

    name: str
    made: st.SearchStrategy[Any]
    tried: Callable[[Any, Path], object]
    share: float = 1.0
    before: Callable[[], object] = list


def _used(experiment: Experiment) -> None:
    """Use an experiment as the product does before its rows are read."""
    again = experiment_from(json.loads(json.dumps(experiment.model_dump(mode="json"))), "stored")
    assert again == experiment
    assert again.spec_hash == experiment.spec_hash
    assert isinstance(experiment.run_hash, str)
    experiment.search_space()
    experiment.default_parameters()
    experiment.fixed_parameters()


def _experiment_file(content: bytes, folder: Path) -> None:
    (folder / "e.yaml").write_bytes(content)
    _used(read_experiment(folder / "e.yaml"))


def _structure(raw: Any, folder: Path) -> None:
    if isinstance(raw, dict):
        _used(experiment_from(raw, "registered experiment e"))


def _space(case: tuple[Any, Any], folder: Path) -> None:
    definitions, configuration = case
    if not isinstance(definitions, dict):
        return
    space = parse_space(definitions)
    if isinstance(configuration, dict):
        legal, notes = adapted_to(configuration, space)
        assert not [name for name in legal if space[name].broken_rule(legal[name])]
        "\n".join(notes).encode("utf-8", "backslashreplace")


@cache
def _experiments() -> list[Experiment]:
    return [parse_experiment(text, "e.yaml") for text in (PLAIN, PLAIN.replace("binary_classification", "regression"))]


_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _table(frame: pd.DataFrame, folder: Path) -> None:
    """Run rows through the functions of the first two assets."""
    for experiment in _experiments():
        try:
            data = dataset_of(frame, experiment)
        except DataInvalid as error:
            str(error).encode()
            continue
        asset_values.write(data, folder / "dataset" / "e")
        back = asset_values.read(Dataset, folder / "dataset" / "e")
        assert back.data_hash == data.data_hash
        assess(data, "e", _NOW)
        assert table_schema.violations(table_schema.inferred(data, "e"), "e.yaml", back, ()) == []


def _csv(content: bytes, folder: Path) -> None:
    (folder / "rows.csv").write_bytes(content)
    _table(datasets.load(Source(csv="rows.csv"), folder, LIMITS), folder)


@st.composite
def _csv_dialects(draw: Callable[..., Any]) -> tuple[bytes, dict[str, Any]]:
    """CSV files with realistic cells in some dialect, and `source` keys that may contradict the file."""
    delimiter = draw(st.sampled_from([",", ";", "\t", "|", ":", " "]))
    ending = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    kinds = [draw(st.sampled_from(CELLS)) for _ in range(draw(st.integers(1, 4)))]
    rows = [["y", *draw(st.lists(values.texts.map(_one_cell), min_size=len(kinds), max_size=len(kinds)))]]
    for number in range(draw(st.sampled_from([1, 5, 30, 130]))):
        cells = [draw(st.sampled_from(kind)).replace("#", str(number * 37 % 1009)) for kind in kinds]
        rows.append(["ab"[number % 2], *cells])
    quoted = [delimiter.join(f'"{one}"' if delimiter in one else one for one in row) for row in rows]
    above = draw(st.sampled_from(["", f"sep={delimiter}{ending}", f"A title{ending}"]))
    text = above + ending.join(quoted) + draw(st.sampled_from([ending, "", f"{ending}a{delimiter}"]))
    content = text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"])), "replace")
    content = draw(st.sampled_from([bytes, gzip.compress, bz2.compress, lzma.compress]))(content)
    options = st.fixed_dictionaries({}, optional={
        "delimiter": st.sampled_from([delimiter, ",", ";", "::"]), "decimal": st.sampled_from([".", ",", "x"]),
        "thousands": st.sampled_from([",", ".", " ", "'"]), "encoding": st.sampled_from(["utf-8", "cp1252", "utf-16", "hex", "idna"]),
        "skip_rows": st.integers(-1, 3), "quote": st.sampled_from(['"', "'", "none"]),
        "missing": st.lists(values.scalars, max_size=3),
    })  # fmt: skip
    return content, draw(options | st.just({}))


def _one_cell(text: str) -> str:
    return "".join(one for one in text[:40] if one.isprintable() and one != '"') or "x"


CELLS = [
    ["#", "#.5"], ["#,5"], ["1.#", "1.234,#"], ["1,234", "12,345"], ["$#", "€#", "USD #"], ["#%", "#"], ["#:30", "1:0#:00", "1h #m"],
    ["#", "?"], ["NA", "None", "nan", "#"], ["-999", "#"], ["00#", "#"], ["9" * 25, "#"], ["", " ", "#"], ["Zu\u0308rich", "Zürich"],
    ["(#)", "\u2212#"], ["1e999", "-inf", "#"], ["a#", "#a"], ["True", "false"], ["2026-01-01", "#"], ["Ulm, DE", 'say "hi"', "#"],
]  # fmt: skip


def _dialect(case: tuple[bytes, dict[str, Any]], folder: Path) -> None:
    content, options = case
    (folder / "rows.csv").write_bytes(content)
    raw = {**yaml.safe_load(PLAIN), "source": {"csv": {"path": "rows.csv", **options}}}
    asked = experiment_from(raw, "e")
    frame = datasets.load(asked.source, folder, LIMITS)
    assert isinstance(dataset_of(frame, asked).data_hash, str)
    _table(frame, folder)


def _parquet_folder(case: list[tuple[str, bytes]], folder: Path) -> None:
    for name, content in case:
        (folder / "rows.parquet" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "rows.parquet" / name).write_bytes(content)
    source = Source(parquet="rows.parquet")
    assert Fingerprints(folder, LIMITS).fingerprint(source) if case else True
    _table(datasets.load(source, folder, LIMITS), folder)


def _parquet(content: bytes, folder: Path) -> None:
    (folder / "rows.parquet").write_bytes(content)
    _table(datasets.load(Source(parquet="rows.parquet"), folder, LIMITS), folder)


@cache
def _parquet_seeds() -> list[bytes]:
    frame = pd.read_csv(io.StringIO(ROWS))
    dated = frame.assign(t=pd.date_range("2026-01-01", periods=30), l=[[1, 2]] * 30)
    found = []
    for one in (frame, frame.set_index("a"), dated, frame.astype({"c": "category"})):
        for options in ({}, {"compression": "zstd", "use_dictionary": False}):
            target = io.BytesIO()
            one.to_parquet(target, **options)
            found.append(target.getvalue())
    return found


@st.composite
def _columns(draw: Callable[..., Any]) -> bytes:
    """Valid Parquet files with invalid columns."""
    count = draw(st.integers(0, 12))
    cells: dict[str, st.SearchStrategy[Any]] = {
        "number": st.floats(), "whole": st.integers(-(2**63), 2**63 - 1), "large": st.integers(0, 2**64 - 1),
        "text": st.text(max_size=5), "bytes": st.binary(max_size=4), "truth": st.booleans(),
        "date": st.dates(), "moment": st.datetimes(), "span": st.timedeltas(), "time": st.times(),
        "long decimal": st.decimals(allow_nan=False, allow_infinity=False, places=0, min_value=10**17, max_value=10**36),
        "late date": st.dates(min_value=date(2262, 1, 1)), "zoned": st.datetimes(timezones=st.timezones()),
        "decimal": st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**30), max_value=10**30),
        "list": st.lists(st.integers(0, 3), max_size=2), "mapping": st.fixed_dictionaries({"a": st.integers(0, 9)}),
        "label": st.sampled_from(["a", "b"]), "nothing": st.none(),
    }  # fmt: skip
    arrays, names = [], []
    for number in range(draw(st.integers(1, 4))):
        kind = "label" if number == 0 else draw(st.sampled_from(sorted(cells)))
        content = draw(
            st.lists(cells[kind] if kind == "label" else cells[kind] | st.none(), min_size=count, max_size=count)
        )
        try:
            array = pa.array(content, type=pa.uint64() if kind == "large" else None)
        except (pa.ArrowException, OverflowError, ValueError):
            array = pa.array([None] * count)
        arrays.append(array.dictionary_encode() if kind in ("text", "label") and draw(st.booleans()) else array)
        names.append("y" if number == 0 else draw(values.texts))
    target = io.BytesIO()
    try:
        pq.write_table(pa.Table.from_arrays(arrays, names=names), target)
    except (pa.ArrowException, UnicodeError, ValueError, OverflowError):
        return b"PAR1"
    return target.getvalue()


@cache
def _stored_seeds() -> list[Any]:
    facts = {
        "experiment": "e", "problem_type": "regression", "target": "y", "features": ["a"], "classes": [],
        "data_hash": "d", "split_hash": "s", "search_hash": "h", "strategy": "group", "seed": 1,
        "counts": {"train": 1, "validation": 1, "test": 1, "holdout": 1}, "left_out": 0, "entity": ["g"],
    }  # fmt: skip
    trial = {
        "number": 0, "state": "COMPLETE", "origin": "sampler", "sampled": {"a": 1}, "params": {"a": 1}, "value": 0.5,
        "objective_values": {"rmse": 1.0}, "intermediate_values": {"1": 0.5}, "started_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    study = {
        "study_name": "s", "n_trials": 1, "objectives": {"greater_is_better": {"rmse": False}, "tolerance": 0.0},
        "trials": [trial], "default_value": None, "stop_reason": "budget spent", "resumed_from": 0,
        "started_at": "2026-01-01T00:00:00Z", "completed_at": "2026-01-01T00:00:00Z", "duration_seconds": 1.0,
    }  # fmt: skip
    start = {
        "configurations": [],
        "tries": 0,
        "problems": [],
        "meta_features": {"n": 1.0},
        "considered": 0,
        "reason": "r",
    }
    output = {
        "hpo_completed": False,
        "best_hyperparameters": {"a": 1},
        "hpo_trials_run": 0,
        "hpo_duration_seconds": 0.0,
    }
    data = {
        "features": ["a"], "left_out": {}, "target": "y", "group": None, "time": None, "ids": [], "classes": [],
        "problem_type": "regression", "data_hash": "d", "rows_without_target": 0, "split": None, "segments": [],
    }  # fmt: skip
    return [facts, study, {"identity": "i", "result": study}, start, output, data]


KINDS = (SplitFacts, SearchRows, StudyResult, Tuned, warm_start.WarmStart, HpoOutput, TrainingOutput, Dataset)


def _stored(case: tuple[type[Any], bytes, bool], folder: Path) -> None:
    kind, content, with_table = case
    place = folder / "asset" / "e"
    place.mkdir(parents=True)
    (place / "value.json").write_bytes(content)
    if with_table:
        frame = pd.DataFrame({"a": [1.0, 2.0], "y": [1.0, 2.0], "g": [1, 2]})
        for name in ("table", "train", "validation"):
            frame.to_parquet(place / f"{name}.parquet", index=False)
    found = asset_values.read(kind, place)
    if isinstance(found, StudyResult):
        assert found.status in ("completed", "partial", "failed")
    if isinstance(found, Tuned) and found.result:
        assert found.result.status in ("completed", "partial", "failed")


def _contract(raw: Any, folder: Path) -> None:
    experiment = _experiments()[0]
    told = (experiment.search_space(), experiment.fixed_parameters(), experiment.default_parameters())
    for violation in (*violations_of(raw, *told), *training_violations_of(raw)):
        str(violation).encode("utf-8", "backslashreplace")


@cache
def _data() -> Dataset:
    return dataset_of(pd.read_csv(io.StringIO(ROWS)), _experiments()[0])


def _schema_file(content: bytes, folder: Path) -> None:
    (folder / "schema.yaml").write_bytes(content)
    table_schema.violations(text_of(folder / "schema.yaml"), "schema.yaml", _data(), ("g",))


def _quality_file(content: bytes, folder: Path) -> None:
    (folder / "quality.json").write_bytes(content)
    report = given_quality.parsed(text_of(folder / "quality.json"), "quality.json")
    given_quality.decided(report, 30)


@cache
def _pattern_seeds() -> list[Any]:
    from e2i_assets.adapters.repositories.pattern_rows import pattern_id

    one = {"values": {"max_depth": 3, "learning_rate": 0.1}, "value": 0.75}
    return [
        {
            "format": 1, "pattern_id": str(pattern_id("spec")), "spec_hash": "spec", "data_hash": "data",
            "algorithm_name": "XGBoost", "problem_type": "binary_classification",
            "search_space": {"max_depth": {"type": "int", "low": 2, "high": 9}},
            "best_hyperparameters": {"max_depth": 3}, "top_configurations": [one, one], "best_value": 0.75,
            "optimization_metric": "roc_auc", "n_samples": 100, "n_features": 3, "n_trials": 10, "n_completed": 8,
            "n_pruned": 2, "n_classes": 2, "class_balance": 0.3, "feature_types": {}, "meta_features": {"n_samples": 5.0},
            "duration_seconds": 1.0, "study_name": "s", "source": "local", "trials": [one, one], "default_value": 0.5,
            "meta_vector": None, "meta_version": None,
        }
    ]  # fmt: skip


def _pattern(line: bytes, folder: Path) -> None:
    """A line of a pattern file, and a study that uses the resulting pattern."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return
    found = parsed(text)
    if not isinstance(found, PatternDocument):
        "\n".join(map(str, found)).encode("utf-8", "backslashreplace")
        return
    row = found.row("import:x")
    json.dumps([row.search_space, row.top_configurations, row.trials, row.meta_features], allow_nan=False).encode()
    known = warm_start.Pattern(
        pattern_id=found.pattern_id, study_name=row.study_name or "", similarity=0.5, trust=1.0,
        top=tuple(dict(one) for one in row.top_configurations), trials=tuple(dict(one) for one in row.trials),
    )  # fmt: skip
    experiment = _experiments()[0]
    start = warm_start.warm_start(
        [known], experiment.default_parameters(), experiment.search_space(), 5, {"n_samples": 10.0}, "because"
    )
    for one in start.configurations:
        legal, _ = adapted_to(one.values, experiment.search_space())
        assert legal == one.values
    start.model_dump_json()


@cache
def _models() -> list[bytes]:
    import tempfile

    from e2i_assets.core.algorithms import registry
    from e2i_assets.core.algorithms.prepared_data import Task
    from e2i_assets.core.fitting.fit_context import Rows, fit_context

    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(size=60), "c": pd.Categorical(random.choice(["p", "q"], 60))})
    target = pd.Series(frame["a"] + random.normal(0, 0.1, 60))
    found = []
    for name in ("Ridge", "RandomForest", "XGBoost", "LightGBM"):
        rows = fit_context(registry.algorithm(name), Task("regression"), Rows(frame, target), Rows(frame, target), ())
        algorithm = registry.algorithm(name)
        settings = {**algorithm.default_values, **algorithm.fixed_values}
        settings |= {"n_estimators": 3} if "n_estimators" in settings else {}
        with tempfile.TemporaryDirectory() as folder:
            save_model(rows.model(rows.fit(settings)), Path(folder))
            found.append((Path(folder) / ARCHIVE).read_bytes())
    return found


@cache
def _members() -> list[tuple[bytes, dict[str, bytes]]]:
    """Return the models with the parts of their archives; outside of a strategy, because `zipfile` uses random numbers."""
    found = []
    for archive in _models():
        with zipfile.ZipFile(io.BytesIO(archive)) as source:
            found.append((archive, {name: source.read(name) for name in source.namelist()}))
    return found


def _is_native(archive: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as source:
            schema = source.read("schema.json")
    except (zipfile.BadZipFile, KeyError, OSError, ValueError, NotImplementedError, zlib.error, EOFError):
        return False
    return b"xgboost" in schema or b"lightgbm" in schema


@st.composite
def _archives(draw: Callable[..., Any]) -> bytes:
    """Models whose bytes, or whose parts inside the archive, were changed."""
    archive, whole = draw(st.sampled_from(_members()))
    members = dict(whole)
    how = draw(st.sampled_from(["bytes", "schema", "schema", "member"]))
    if how == "bytes":
        return draw(
            values.mutated_bytes([archive], [b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"\x80\x04\x95", b"\0" * 8])
        )
    if how == "schema":
        members["schema.json"] = values.as_json(draw(values.mutated([json.loads(members["schema.json"])])))
    else:
        name = draw(st.sampled_from(sorted(members)))
        members[name] = draw(values.mutated_bytes([members[name]], values.JSON_GRAMMAR))
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return target.getvalue()


def _model(archive: bytes, folder: Path) -> None:
    """Changed models with a matching manifest, except for boosters, whose libraries do not validate a model.

    XGBoost's reader ends the process for some of them; only the hash in the manifest protects against this.
    """
    (folder / ARCHIVE).write_bytes(archive)
    content = b"what was written" if _is_native(archive) else archive
    manifest = {"format": "e2i-model-2", "sha256": hashlib.sha256(content).hexdigest(), "libraries": {}}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    load_model(folder)


def _path(name: str, folder: Path) -> None:
    """No path in a file can read anything outside of the allowed folders."""
    project = folder / "project"
    (project / "data").mkdir(parents=True)
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "passwd").write_text("a,b\n1,2\n")
    (project / "out").symlink_to(folder / "elsewhere")
    (folder / "secret.csv").write_text("a,b\n1,2\n")
    for known in (f"data/{name}", f"out/{name}", f"../{name}", name):
        try:
            source = Source(csv=known)
        except ValueError:
            file = CsvFile.model_construct(path=known)
            source = Source.model_construct(sample=None, csv=file, parquet=None, sql=None)
        try:
            found = source_limits({}).allowed_file(project, known, "source.csv")
            assert found.is_relative_to(project.resolve())
            datasets.load(source, project, {})
            raise AssertionError(f"{known!r} was read")
        except DataInvalid as error:
            str(error).encode()


PATTERN_LINES = st.one_of(
    st.deferred(lambda: values.mutated(_pattern_seeds())).map(values.as_json),
    st.deferred(lambda: values.mutated_bytes([values.as_json(one) for one in _pattern_seeds()], values.JSON_GRAMMAR)),
)
STORED = st.one_of(
    st.deferred(lambda: values.mutated(_stored_seeds())).map(values.as_json),
    st.deferred(lambda: values.mutated_bytes([values.as_json(one) for one in _stored_seeds()], values.JSON_GRAMMAR)),
)
STRUCTURES = st.deferred(lambda: values.mutated([yaml.safe_load(text) for text in (PLAIN, RICH, CUT)]))
SPACES = st.tuples(
    values.mutated(
        [
            {
                "a": {"type": "int", "low": 1, "high": 9, "step": 2},
                "b": {"type": "categorical", "choices": ["x", 1, None]},
            },
            {
                "a": {"type": "categorical", "choices": ["x", "y"]},
                "b": {"type": "float", "low": 0.1, "high": 1.0, "log": True, "when": {"a": ["x"]}, "otherwise": 0.5},
            },
        ]
    ),
    values.mutated([{"a": 3, "b": "x"}, {"a": "x", "b": 0.3}]),
)
SCHEMAS = st.deferred(lambda: values.mutated_bytes([table_schema.inferred(_data(), "e").encode()], SCHEMA_GRAMMAR))
SCHEMA_GRAMMAR = [
    *values.YAML_GRAMMAR, b"float64", b"object", b"category", b"datetime64[ns]", b"eval", b"isin: 5\n", b"str_matches: '('\n",
    b"    str_matches: (a+)+$\n", b"    unique: true\n", b"    coerce: true\n", b"    checks:\n      eq: x\n", b"strict: 5\n",
    b"index:\n", b"dtype: !!python/name:os.system\n", b"    nosuchcheck: 1\n", b"    in_range: {min_value: a}\n",
]  # fmt: skip
QUALITY = {
    "status": "passed", "overall_score": 0.9, "completeness_score": 0.9, "validity_score": 0.9, "consistency_score": 0.9,
    "uniqueness_score": 0.9, "timeliness_score": 0.9, "blocking_issues": [], "row_count": 30,
}  # fmt: skip

TARGETS = [
    Target("experiment file", values.mutated_bytes([*SHIPPED, PLAIN.encode(), RICH.encode(), CUT.encode()], values.YAML_GRAMMAR), _experiment_file, 2.0),
    Target("experiment structure", STRUCTURES, _structure, 3.0),
    Target("search space", SPACES, _space, 3.0),
    Target("csv", values.mutated_bytes([ROWS.encode(), ROWS.replace(",", ";").encode()], values.CSV_GRAMMAR), _csv, 0.5),
    Target("csv dialects", _csv_dialects(), _dialect, 1.0),
    Target("parquet folders", st.deferred(lambda: st.lists(st.tuples(st.sampled_from(["a.parquet", "b.parquet", "year=1/a.parquet", "year=x/b.parquet", "_SUCCESS", "c.csv"]), st.sampled_from(_parquet_seeds()) | _columns()), max_size=3)), _parquet_folder, 0.3),
    Target("parquet bytes", st.deferred(lambda: values.mutated_bytes(_parquet_seeds(), [b"PAR1", b"\0" * 8, b"\xff" * 8])), _parquet, 0.5),
    Target("parquet columns", _columns(), _parquet, 0.3),
    Target("keys", exact.KEYS, exact.keyed, 1.0),
    Target("instants", exact.TIMES, exact.timed, 1.0),
    Target("dates as text", columns.DATES, columns.dated, 1.0),
    Target("identifiers", columns.IDENTIFIERS, columns.identified, 0.5),
    Target("scale", exact.SCALES, exact.scaled, 0.1),
    Target("split targets", exact.SPLITS, exact.judged, 0.3),
    Target("row shape", meaning.misshapen(), meaning.shaped, 1.0),
    Target("dialect round trip", meaning.dialects(), meaning.undone, 1.0),
    Target("words for nothing", meaning.WORDED, meaning.worded, 0.5),
    Target("numbers as text", meaning.NUMBERS, meaning.numbered, 1.0),
    Target("two deliveries", meaning.DELIVERED, meaning.delivered, 0.3),
    Target("unstorable texts", meaning.unstorable(), meaning.stored, 0.5),
    Target("column names", meaning.NAMED, meaning.named, 0.5),
    Target("served rows", outside.SERVED, outside.served, 0.5, outside.once),
    Target("texts for mlflow", outside.TEXTS, outside.limited, 0.5),
    Target("shell variables", outside.VARIABLES, outside.exported, 0.5),
    Target("stored values", st.tuples(st.sampled_from(KINDS), STORED, st.booleans()), _stored, 1.0),
    Target("contracts", st.deferred(lambda: values.mutated(_stored_seeds())), _contract, 1.0),
    Target("schema file", SCHEMAS, _schema_file, 0.2),
    Target("quality report", values.mutated([QUALITY]).map(values.as_json) | values.mutated_bytes([values.as_json(QUALITY)], values.JSON_GRAMMAR), _quality_file, 1.0),
    Target("memory import", PATTERN_LINES, _pattern, 2.0),
    Target("model file", _archives().map(values.Blob), _model, 0.2, _members),
    Target("source path", values.texts, _path, 0.5),
    Target("command line", command_line.COMMAND_LINES, command_line.typed, 0.5, command_line.once),
]  # fmt: skip
