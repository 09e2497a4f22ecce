"""The table of the fault drills, from the records that `make drill` writes to E2I_DRILL_RECORDS.

`E2I_DRILL_RECORDS=drills.jsonl make drill`, then `python -m benchmarks.drills drills.jsonl`. With the seed of a record
as `E2I_DRILL_SEED`, `make drill` repeats its round.
"""

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import RESULTS, Table, machine, write

Record = Mapping[str, Any]
COLUMNS = (
    "fault",
    "rounds",
    "trials lost",
    "doubled",
    "orphans",
    "links missing",
    "left half-written",
    "went on by itself",
    "finished by the next run",
    "seconds a round",
)
NOTES = """\
A round: a fresh project, a run of one experiment of 12 trials, a fault at a random moment of it, the next run, and
then the checks of `e2i_assets_tests/support/drills/invariants.py`. Lost: trials that had ended before the fault and are
missing or different at the end. Doubled: surplus trials, studies, trainings, patterns, models and runs in MLflow,
and budgets that are not spent exactly. Orphans: everything that is still marked as running.
Went on by itself: the run succeeded despite the fault."""


def table(records: Iterable[Record]) -> Table:
    """Return a row for each kind of drill, and one for all."""
    kinds: dict[str, list[Record]] = {}
    for record in records:
        kinds.setdefault(record["drill"], []).append(record)
    every = [record for of_kind in kinds.values() for record in of_kind]
    lines = [_line(kind, of_kind) for kind, of_kind in kinds.items()]
    return Table("Drills", COLUMNS, [*lines, _line("all", every)] if every else [], NOTES)


def _line(kind: str, records: Sequence[Record]) -> list[object]:
    def found(what: str) -> int:
        return sum(len(record["findings"][what]) for record in records)

    return [
        kind,
        len(records),
        *(found(what) for what in ("lost", "doubled", "orphans", "links", "left_over")),
        sum(record["went_on"] for record in records),
        sum(record["next_status"] == 0 for record in records),
        round(sum(record["seconds"] for record in records) / len(records)),
    ]


def main() -> None:
    """Write the table for the records in these files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, default=RESULTS / "drills.md")
    options = parser.parse_args()
    records = [json.loads(line) for path in options.records for line in path.read_text(encoding="utf-8").splitlines()]
    seeds = ", ".join(sorted({str(record["seed"]) for record in records}))
    described = {**machine("optuna", "dagster", "mlflow"), "seed": seeds}
    command = "make drill, then .venv/bin/python -m benchmarks.drills RECORDS"
    write(options.output, "Faults during a run", described, [table(records)], command)


if __name__ == "__main__":
    main()
