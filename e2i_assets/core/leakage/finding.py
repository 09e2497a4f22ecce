"""The result of one leakage check: whether leakage was found, where, and in how many rows or columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from e2i_assets.core.errors import Violation

Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of the check for one kind of leakage.

    Attributes:
        check_type: The kind of leakage.
        mistakes: The leakage that was found, one sentence each; empty if there is none.
        affected: The number of affected rows, or of affected features.
        examples: Some of them.
        severity: ``info`` if nothing was found.
        looked_at: What was compared, for the message if nothing was found.
    """

    check_type: str
    mistakes: tuple[str, ...] = ()
    affected: int = 0
    examples: tuple[str, ...] = ()
    severity: Severity = "info"
    looked_at: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.mistakes

    @property
    def details(self) -> str:
        """A human-readable summary."""
        return "; ".join(self.mistakes) or self.looked_at or "nothing found"


def columns_found(check_type: str, violations: Sequence[Violation], looked_at: str) -> Finding:
    """Return the finding for leaking columns; each of them stops the training."""
    if not violations:
        return Finding(check_type, looked_at=looked_at)
    named = tuple(str(violation.value) for violation in violations)
    return Finding(check_type, tuple(map(str, violations)), len(violations), named, "critical", looked_at)
