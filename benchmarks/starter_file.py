"""Write the shipped starter memory from the records of `benchmarks.starter_memory`. It contains no test values."""

import argparse
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import corpus
from benchmarks.few_trials_ways import shipped
from benchmarks.starter_memory import SHIPPED, Tried, meta_path, record_path
from e2i_assets.core.algorithms import registry
from e2i_assets.core.memory.starter import StarterFile, StarterStudy, StarterTrial
from e2i_assets.core.metrics import METRICS
from e2i_assets.core.search_space.space import as_documents

OUTPUT = Path("e2i_assets") / "services" / "memory_files" / "starter_memory.json.gz"
VERSION = 1
MOST_TRIALS = 100


def study(options: argparse.Namespace, name: str, algorithm: str) -> StarterStudy | None:
    """Return the record of a data set with an algorithm; None when there is none."""
    path, described = record_path(options.work, name, algorithm), meta_path(options.work, name)
    if not path.exists():
        return None
    facts = corpus.index(corpus.folder(options.corpus)).loc[name]
    experiment = corpus.experiment_of(facts, name, algorithm)
    found: list[Tried] = json.loads(path.read_text())
    metrics = tuple(METRICS[experiment.problem_type])
    return StarterStudy(
        table=name,
        source=str(facts["source"]),
        algorithm=algorithm,
        problem_type=experiment.problem_type,
        search_space=as_documents(experiment.search_space()),
        n_classes=int(facts["n_classes"]) or None,
        meta_features={key: _short(value, 6) for key, value in json.loads(described.read_text()).items()},
        metrics=metrics,
        trials=tuple(
            StarterTrial(
                values={key: _short(value, 5) for key, value in one["values"].items()},
                measures=tuple(_number(one["measures"][metric]) for metric in metrics),
            )
            for one in found[:MOST_TRIALS]
        ),
        seconds=round(sum(one["seconds"] for one in found), 2),
    )


def _short(value: Any, digits: int) -> Any:
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def _number(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", help="folder of the data sets; default E2I_CORPUS")
    parser.add_argument("--work", type=Path, required=True, help="folder of the mined records")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--keep", action="store_true", help="keep the shipped studies of tables that are not mined")
    options = parser.parse_args()
    index = corpus.index(corpus.folder(options.corpus))
    tables = [name for name in index.index if not str(name).startswith(SHIPPED)]
    found = [study(options, name, algorithm) for algorithm in registry.installed() for name in tables]
    mined = [one for one in found if one is not None]
    known = {one.table for one in mined}
    others = [one for one in shipped() if one.table not in known] if options.keep else []
    studies = tuple(sorted([*mined, *others], key=lambda one: (one.algorithm, one.problem_type, one.table)))
    text = StarterFile(version=VERSION, studies=studies).model_dump_json().encode()
    unfinished = options.output.with_suffix(".part")
    # Without a timestamp, the same studies give the same file.
    unfinished.write_bytes(gzip.compress(text, 9, mtime=0))
    unfinished.replace(options.output)
    size = options.output.stat().st_size / 1024
    print(f"{len(studies)} studies, {sum(len(one.trials) for one in studies)} trials, {size:.0f} KiB")


if __name__ == "__main__":
    main()
