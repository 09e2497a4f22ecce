"""A scheme that fits each parameter set once, for studies that differ only in what they try first."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from e2i_assets.core.search.goals import Goal
from e2i_assets.core.search.schemes import Outcome, Report, Scheme


@dataclass(slots=True)
class Repeated:
    """A `Scheme` that fits each parameter set once, and counts the CPU seconds of what it does not repeat.

    Attributes:
        known: By parameter set: its outcome, each report with the seconds up to it, and the seconds of the whole.
        saved: The CPU seconds of the outcomes that were read instead of fitted.
    """

    scheme: Scheme
    known: dict[str, tuple[Outcome, list[tuple[int, float, float]], float]] = field(default_factory=dict)
    saved: float = 0.0

    @property
    def folds(self) -> int:
        """Those of the scheme."""
        return self.scheme.folds

    def outcome(
        self, parameters: Mapping[str, Any], goals: Sequence[Goal], patience: int | None, report: Report | None = None
    ) -> Outcome:
        """Return the known outcome with the same reports, which may prune the trial, or fit; see `Scheme`."""
        key = json.dumps(dict(parameters), sort_keys=True, default=str)
        if key in self.known:
            return self._read(key, report)
        began, reports = time.process_time(), list[tuple[int, float, float]]()

        def noted(step: int, value: float) -> None:
            reports.append((step, value, time.process_time() - began))
            if report is not None:
                report(step, value)

        found = self.scheme.outcome(parameters, goals, patience, noted)
        self.known[key] = (found, reports, time.process_time() - began)
        return found

    def again(
        self, parameters: Mapping[str, Any], goals: Sequence[Goal], fold_rounds: Sequence[int] = ()
    ) -> dict[str, float]:
        """Fit again; see `Scheme`."""
        return self.scheme.again(parameters, goals, fold_rounds)

    def _read(self, key: str, report: Report | None) -> Outcome:
        found, reports, whole = self.known[key]
        seconds = 0.0
        try:
            for step, value, seconds in reports:  # noqa: B007  # of the last report when it prunes
                if report is not None:
                    report(step, value)
            seconds = whole
        finally:
            self.saved += seconds
        return found
