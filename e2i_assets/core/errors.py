"""The exceptions that reach the user; each message says what is wrong, where, and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass

_LONGEST = 15_000


class E2iError(Exception):
    """Base of the errors for the user; the command line prints the message without a traceback.

    Messages may contain text from untrusted files, so control characters are escaped, which protects terminals, logs
    and tables, and long texts are cut.
    """

    def __init__(self, *parts: object) -> None:
        super().__init__(*(readable(part) if isinstance(part, str) else part for part in parts))


def readable(text: str) -> str:
    """Return a text that is safe to display: unprintable characters are escaped, and it is cut at 15,000 characters."""
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]} ... and {len(text) - _LONGEST:,} characters more"
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(one if one.isprintable() or one in "\n\t" else ascii(one)[1:-1] for one in text)


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule: the field, the invalid value, and the rule as the end of a sentence about the value."""

    where: str
    value: object
    rule: str

    def __str__(self) -> str:
        shown = repr(self.value)
        if len(shown) > 80:
            shown = f"{shown[:77]}..."
        return f"{self.where}: {shown} {self.rule}"


class Violations(E2iError):
    """Several broken rules at once, so that one round of corrections is enough.

    Args:
        subject: What was checked, for example ``experiment file visits.yaml``.
        violations: At least one violation.
    """

    def __init__(self, subject: str, violations: Iterable[Violation]) -> None:
        self.subject = subject
        self.violations = tuple(violations)
        super().__init__(f"{subject}:\n" + "\n".join(f"  - {violation}" for violation in self.violations))


class ExperimentInvalid(Violations):
    """An experiment file that cannot be registered."""


class SearchSpaceInvalid(Violations):
    """A search space in which no sampler could draw a legal configuration."""


class DataInvalid(Violations):
    """Rows or columns that an experiment cannot be run on."""


class ContractBroken(Violations):
    """An output that does not meet the output contract."""


class MissingHpoData(E2iError):
    """Train or validation rows that a search needs and that are not there."""


class UnsupportedAlgorithm(E2iError):
    """An algorithm that does not exist, cannot do the problem type, or whose library cannot be loaded."""


class BudgetSpent(E2iError):
    """All trials of a study's budget are finished or claimed by a process that works on it."""


class NoWorkers(E2iError):
    """A study for which no worker is available."""


class StudyCancelled(E2iError):
    """A study whose coordinator is gone, so its workers stop."""
