"""The CPU seconds of one small `e2i run` by part: six trials on 1,338 rows with LightGBM and all features enabled.

Each measured run is a new study in a prepared project. `--against` alternates with another checkout.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pandas as pd

from benchmarks import cpu_samples, report
from e2i_assets.adapters.sources.sample_data import sample_file

ROWS = 1338
_IMPORT = "importlib._bootstrap:"
_OUTCOMES = ["totadm", "mdvis", "notmdvis", "mentvis", "binexp", "time", "zper", "xghindx", "lnum"]
_EXPERIMENT = """\
name: small
owner: team:benchmarks
source: {{csv: rows.csv}}
target: admitted
problem_type: binary_classification
algorithm: LightGBM
hpo: {{trials: 6, seed: {seed}}}
"""
# A sample counts for the first part whose module or function is in a frame of its stack.
PARTS: Mapping[str, tuple[str, ...]] = {
    "imports": (_IMPORT,),
    "pictures": ("matplotlib", "PIL", "optuna.visualization"),
    "study, with its fits": ("optuna",),
    "model as files": (
        "mlflow.pyfunc",
        "mlflow.models",
        "skops",
        "e2i_assets.adapters.mlflow.model",
        "e2i_assets.adapters.tracking.model",
    ),
    "MLflow": ("mlflow",),
    "feature importances": ("e2i_assets.core.permutation",),
    "checks": ("e2i_assets.defs.checks",),
    "PostgreSQL": ("psycopg2", "sqlalchemy"),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one command.

    Attributes:
        wall, cpu: Seconds of the command and of all processes that it started and waited for.
        parts: CPU seconds by part, of the sampled processes.
        imports: CPU seconds of the imports by library.
    """

    wall: float
    cpu: float
    parts: Counter[str]
    imports: Counter[str]


class Project:
    """A project folder with one small experiment, for the program of one checkout."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        self._checkout = checkout.resolve()
        self._folder = folder
        self._seed = 0
        (folder / "experiments").mkdir(parents=True)
        for name in ("dagster.yaml", "workspace.yaml"):
            shutil.copy(self._checkout / name, folder / name)
        (folder / "sql").symlink_to(self._checkout / "sql")
        table().to_csv(folder / "rows.csv", index=False)
        (folder / "site").mkdir()
        shutil.copy(cpu_samples.__file__, folder / "site" / "sitecustomize.py")

    def new_study(self) -> None:
        """Change the experiment, so that the next run does all steps."""
        self._seed += 1
        (self._folder / "experiments" / "small.yaml").write_text(_EXPERIMENT.format(seed=self._seed), encoding="utf-8")

    def run(self) -> Cost:
        """Run the experiment.

        Raises:
            SystemExit: The run failed.
        """
        with tempfile.TemporaryDirectory() as samples:
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            ended = subprocess.run(
                [self._checkout / ".venv" / "bin" / "e2i", "run", "small"],
                env=self._environment(samples),
                capture_output=True,
                text=True,
                check=False,
            )
            wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
            if ended.returncode:
                raise SystemExit(f"the run of {self._checkout} failed: {ended.stdout}{ended.stderr}")
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            return Cost(wall, used, *_counted(Path(samples)))

    def _environment(self, samples: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("E2I_")}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)  # with this variable each program compiles all libraries again
        return {
            **kept,
            "E2I_HOME": str(self._folder),
            "E2I_STATE": str(self._folder / "state"),
            "E2I_CORES": "2",
            "PYTHONPATH": str(self._folder / "site"),
            # Keep the compiled modules of the other checkout out of its folders.
            "PYTHONPYCACHEPREFIX": str(self._folder / "compiled"),
            cpu_samples.FOLDER: samples,
        }


def table() -> pd.DataFrame:
    """Return rows of the sample with a target: whether the person was admitted to hospital."""
    frame = pd.read_csv(str(sample_file("rand_hie"))).sample(ROWS, random_state=0)
    spent = [name for name in frame.columns if name.endswith("dol") or name in ("lnmeddol", "inpmis")]
    features = frame.drop(columns=[*_OUTCOMES, *spent], errors="ignore")
    return features.assign(admitted=(frame["totadm"] > 0).map({True: "yes", False: "no"}))


def part_of(stack: str) -> str:
    """Return the part of a run to which a sampled stack belongs."""
    frames = stack.split(";")
    for part, beginnings in PARTS.items():
        if any(frame.startswith(beginnings) for frame in frames):
            return part
    for frame in reversed(frames):
        if frame.startswith(("dagster", "e2i_assets")):
            return "Dagster" if frame.startswith("dagster") else "everything else of ours"
    return "start and end of Python, and other libraries"


def library_of(stack: str) -> str:
    """Return the library whose module a stack imports."""
    frames = stack.split(";")
    bodies = [frame for frame in frames if frame.endswith(":<module>")]
    return (bodies or ["others:"])[-1].partition(":")[0].partition(".")[0]


def _counted(folder: Path) -> tuple[Counter[str], Counter[str]]:
    parts: Counter[str] = Counter()
    imports: Counter[str] = Counter()
    for file in folder.glob("*.json"):
        for stack, seconds in json.loads(file.read_text(encoding="utf-8"))["seconds"].items():
            parts[part_of(stack)] += seconds
            if _IMPORT in stack:
                imports[library_of(stack)] += seconds
    return parts, imports


def measured(projects: Mapping[str, Project], rounds: int) -> Iterator[tuple[str, str, Cost]]:
    """Yield the project, the command and its cost: projects alternate, after one preparing run each."""
    for what in ("first run of a project", *["new study", "nothing to do"] * rounds):
        for name, project in projects.items():
            if what != "nothing to do":
                project.new_study()
            yield name, what, project.run()


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the embedded server of root runs under another user
        yield Path(folder)


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout with its .venv, run in turn")
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds; the report has their median")
    parser.add_argument("--out", type=Path, default=report.RESULTS / "run_cost.md")
    options = parser.parse_args()
    checkouts = {"this": Path(), **({"other": options.against} if options.against else {})}
    with _folder() as folder:
        machine = report.machine("dagster", "mlflow", "scikit-learn", "lightgbm", "matplotlib")
        found: dict[tuple[str, str], list[Cost]] = {}
        projects = {name: Project(checkout, folder / name) for name, checkout in checkouts.items()}
        for name, what, cost in measured(projects, options.rounds):
            found.setdefault((what, name), []).append(cost)
        title = f"Cost of one small run: six trials on {ROWS:,} rows, LightGBM"
        report.write(options.out, title, machine, tables(found, list(checkouts)), "python -m benchmarks.run_cost")


def tables(found: Mapping[tuple[str, str], Sequence[Cost]], names: Sequence[str]) -> list[report.Table]:
    """Return the tables: whole commands, the parts of a new study, and its imports by library."""
    whole = []
    for what in ("first run of a project", "new study", "nothing to do"):
        for figure in ("cpu", "wall"):
            values = [median(getattr(cost, figure) for cost in found[what, name]) for name in names]
            whole.append([what, f"{figure} s", *_compared(values)])
    studies = [found["new study", name] for name in names]
    columns = [*names, *(["this / other"] if len(names) > 1 else [])]
    return [
        report.Table(
            "Whole commands", ["run", "figure", *columns], whole, "Medians over all processes of the command."
        ),
        report.Table(
            "A new study, CPU seconds by part",
            ["part", *columns],
            _rows([[cost.parts for cost in costs] for costs in studies]),
            "Sampled each 2 ms of CPU time. Imports count as such wherever they happen; a thread counts where the main "
            "thread waits for it.",
        ),
        report.Table(
            "Its imports by library",
            ["library", *columns],
            _rows([[cost.imports for cost in costs] for costs in studies])[:15],
            "Modules of the library only, without their imports from other libraries.",
        ),
    ]


def _rows(counts: Sequence[Sequence[Counter[str]]]) -> list[list[object]]:
    medians = [
        {key: median(one[key] for one in costs) for key in {key for one in costs for key in one}} for costs in counts
    ]
    keys = sorted({key for one in medians for key in one}, key=lambda key: -max(one.get(key, 0.0) for one in medians))
    return [[key, *_compared([one.get(key, 0.0) for one in medians])] for key in keys]


def _compared(values: Sequence[float]) -> list[object]:
    ratio = [f"{values[0] / values[1]:.2f}" if values[1] else ""] if len(values) > 1 else []
    return [*(f"{value:.2f}" for value in values), *ratio]


if __name__ == "__main__":
    main()
