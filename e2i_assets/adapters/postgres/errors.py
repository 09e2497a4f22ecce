"""The error that all modules of the embedded PostgreSQL raise."""

from pathlib import Path

from e2i_assets.adapters.processes.log_tail import last_lines
from e2i_assets.core.errors import E2iError


class PostgresUnavailable(E2iError):
    """The embedded server could not be prepared, started or joined.

    Args:
        problem: What is wrong and where.
        remedy: What the user can do about it.
        log: A server log whose last lines explain the problem.
        since: The size of that log, in bytes, before the attempt; older lines are left out.
    """

    def __init__(self, problem: str, remedy: str, log: Path | None = None, since: int = 0) -> None:
        self.log_lines = last_lines(log, since) if log else ()
        parts = [problem, remedy]
        if log:
            parts.append(f"The server log is {log}; its last lines:")
            parts.extend(f"  {line}" for line in self.log_lines or ("(nothing was written)",))
        super().__init__("\n".join(parts))
