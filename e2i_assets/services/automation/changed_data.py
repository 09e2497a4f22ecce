"""One scan of the experiments' sources: records which rows have changed and returns the due runs."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from e2i_assets.adapters.repositories.experiments import ExperimentRow
from e2i_assets.adapters.repositories.run_requests import Cause, RunRequest
from e2i_assets.adapters.sources.fingerprints import Fingerprints
from e2i_assets.core.automation.changed_data import Decision, decision, summary
from e2i_assets.core.automation.new_experiments import run_key
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.source_section import Source
from e2i_assets.services.project import Project

CAUSE: Cause = "changed_data"


@dataclass(frozen=True, slots=True)
class DataScan:
    """The result of a scan.

    Attributes:
        requests: The requests that Dagster has not yet launched, as far as known.
        why: The reason shown for the tick.
        last: The experiment that was scanned last, after which the next scan continues. Empty: at the beginning.
    """

    requests: Sequence[RunRequest]
    why: str
    last: str


@dataclass(slots=True)
class DataScanner:
    """Scans the sources repeatedly, in bounded time per scan."""

    fingerprints: Fingerprints
    _sources: dict[str, tuple[str, Source]] = field(default_factory=dict)

    def scan(self, project: Project, under_way: Collection[str], after: str = "", seconds: float = 1.0) -> DataScan:
        """Record which rows have changed, and return the due runs.

        Args:
            project: The project.
            under_way: Experiments with a queued or running run.
            after: The experiment after which this scan continues.
            seconds: Approximate time limit of this scan.
        """
        requests, states = project.run_requests, project.source_states
        requested, read = requests.last(CAUSE), states.last()
        busy = {*under_way, *requests.waiting_experiments()}
        rows = [row for row in project.experiments.watched() if row.experiment_name > after]
        until = time.monotonic() + seconds
        decisions: dict[str, Decision] = {}
        unreadable: dict[str, str] = {}
        new: list[RunRequest] = []
        last = ""
        for row in rows:
            if (decisions or unreadable) and time.monotonic() > until:
                break
            name = last = row.experiment_name
            try:
                now = self.fingerprints.fingerprint(self._source(row))
            except E2iError as error:
                unreadable[name] = str(error)
                continue
            before = requested.get(name)
            state = read.get(name)
            # A run that has read the rows since then satisfies the request, even if the rows have changed again since.
            unanswered = before and not (state and state.read_at > before.requested_at)
            one = decision(
                now,
                state.fingerprint if state else None,
                before.content_hash if before and unanswered else None,
                name in busy,
            )
            decisions[name] = one
            if one.run:
                key = run_key(name, CAUSE, now.rpartition(":")[2], before.times if before else 0)
                new.append(RunRequest(run_key=key, experiment=name, cause=CAUSE, content_hash=now, reason=one.why))
        requests.record(new)
        left = len(rows) - len(decisions) - len(unreadable)
        return DataScan(requests.waiting(CAUSE), summary(decisions, unreadable, left), last if left else "")

    def _source(self, row: ExperimentRow) -> Source:
        known = self._sources.get(row.experiment_name)
        if known is None or known[0] != row.spec_hash:
            known = self._sources[row.experiment_name] = (row.spec_hash, Source.model_validate(row.spec["source"]))
        return known[1]
