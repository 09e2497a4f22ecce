"""The table of the pool slots that ended commands leave, from what the drill of them prints.

`make drill ARGS="-s -k free_within" > slots.txt`, then `python -m benchmarks.slots slots.txt`.
"""

import argparse
import re
from pathlib import Path
from statistics import median

from benchmarks.report import RESULTS, Table, machine, write

COLUMNS = ("end of `e2i run`", "rounds", "slot free after, median s", "at most, s")
_ROUND = re.compile(r"round (\d+), (.+): free after ([\d.]+) s")
NOTES = """\
Beside a daemon, `e2i run` is ended in its study of 200,000 rows and 12 columns, up to 3 seconds after it has taken the
only slot of the pool; the next round continues the study. "terminate" is SIGTERM and "kill the command" SIGKILL to the
command; "kill all" is SIGKILL to all its processes, after which only the daemon can free the slot. At the end there is
one study, whose trials are numbered without a gap and without a repetition, and Dagster has repeated no run."""


def table(text: str) -> Table:
    """Return a row for each way to end, and one for all."""
    found: dict[str, list[float]] = {}
    for _, end, seconds in _ROUND.findall(text):
        found.setdefault(end, []).append(float(seconds))
    found["all"] = [seconds for of_end in found.values() for seconds in of_end]
    lines = [[end, len(of_end), round(median(of_end), 1), max(of_end)] for end, of_end in found.items()]
    return Table("Slots", COLUMNS, lines, NOTES)


def main() -> None:
    """Write the table for the rounds in this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("printed", type=Path)
    parser.add_argument("--load", help="the load during the rounds")
    options = parser.parse_args()
    text = options.printed.read_text(encoding="utf-8")
    if "1 passed" not in text and not re.search(r"^\.\s*$", text, re.MULTILINE):
        raise SystemExit("the drill did not pass")
    (seed,) = re.findall(r"seed (\d+)", text)
    described = {**machine("dagster", "optuna"), "seed": seed}
    described["load"] = options.load or described["load"]
    command = 'make drill ARGS="-s -k free_within", then .venv/bin/python -m benchmarks.slots PRINTED'
    write(RESULTS / "slots.md", "The slot of a command that was ended", described, [table(text)], command)


if __name__ == "__main__":
    main()
