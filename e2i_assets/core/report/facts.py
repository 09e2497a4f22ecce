"""What a report is written from: the record of a training, and where its parts are stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from e2i_assets.core.training_record import TrainingRecord


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is stored: an id or a path, and an address where it can be opened."""

    what: str
    where: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """A training with what its report adds.

    Attributes:
        record: The training.
        places: Where its parts are stored, in the order in which they are shown.
        missing: What could not be done, such as the log in MLflow, each as a sentence.
        made_at: When the report is written, in UTC.
    """

    record: TrainingRecord
    places: Sequence[Place]
    missing: Sequence[str]
    made_at: datetime


def number(value: float | None) -> str:
    """Return a number as a person reads it."""
    return "" if value is None else f"{value:,.4g}" if abs(value) < 1e6 else f"{value:.4g}"
