"""The input of a report: the record of a training and the places where its parts are stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import floor, log10

from e2i_assets.core.training_record import TrainingRecord

# The rows of a table: column name to cell.
Rows = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Place:
    """The place where something is stored: an id or a path, and a URL that opens it."""

    what: str
    where: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """A use of the test or holdout rows to evaluate the model or its experiment."""

    rows: str
    at: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """A training and the further facts that its report shows.

    Attributes:
        record: The training.
        places: The places where its parts are stored, in display order.
        missing: Steps that failed, such as the log in MLflow, each as a sentence.
        made_at: The time of the report, in UTC.
        versions: The version of each program and library that made the model, by name.
        accesses: The uses of test and holdout rows, oldest first.
    """

    record: TrainingRecord
    places: Sequence[Place]
    missing: Sequence[str]
    made_at: datetime
    versions: Mapping[str, str] = field(default_factory=dict)
    accesses: Sequence[Access] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure in the unit of the problem: its value, what it counts, and how certain it is."""

    value: str
    what: str
    certainty: str = ""


def number(value: float | None, digits: int = 4) -> str:
    """Return a number with some significant digits as human-readable text: no digit of an integer is lost."""
    if value is None:
        return ""
    size = abs(value)
    if size >= 1e9 or 0 < size < 1e-4:
        return f"{value:.{digits}g}"
    decimals = max(0, digits - 1 - floor(log10(size))) if size else 0
    return f"{value:,.{decimals}f}"
