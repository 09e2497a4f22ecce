"""The table of the rounds, printed at the end of a session."""

from typing import Any

from drills.rounds import PLAYED

from benchmarks.drills import table


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the results of each kind of drill."""
    if PLAYED:
        shown = table(PLAYED)
        terminalreporter.section(f"drills, seed {PLAYED[0]['seed']}")
        for line in (shown.columns, *shown.rows):
            terminalreporter.write_line(" | ".join(str(cell) for cell in line))
