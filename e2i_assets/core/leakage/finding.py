"""What a search for leakage comes back with: one kind of it, and whether, where and how often it is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from e2i_assets.core.errors import Violation

Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of leakage that was looked for.

    Attributes:
        check_type: What was looked for.
        mistakes: What was found, a sentence each; empty where there is none.
        affected: Rows that it concerns, or features where it concerns whole columns.
        examples: Some of them.
        severity: How bad it is; what was not found is for information.
        looked_at: What was looked at, for the sentence when nothing was found.
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
        """One sentence for a person."""
        return "; ".join(self.mistakes) or self.looked_at or "nothing found"


def columns_found(check_type: str, violations: Sequence[Violation], looked_at: str) -> Finding:
    """Return what was found in columns, each of which ends a training."""
    if not violations:
        return Finding(check_type, looked_at=looked_at)
    named = tuple(str(violation.value) for violation in violations)
    return Finding(check_type, tuple(map(str, violations)), len(violations), named, "critical", looked_at)
