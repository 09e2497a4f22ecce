"""The table of a session's rounds, at its end."""

from typing import Any

from drills.rounds import PLAYED

from benchmarks.drills import table


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what came of each kind of drill."""
    if PLAYED:
        shown = table(PLAYED)
        terminalreporter.section(f"drills, seed {PLAYED[0]['seed']}")
        for line in (shown.columns, *shown.rows):
            terminalreporter.write_line(" | ".join(str(cell) for cell in line))
