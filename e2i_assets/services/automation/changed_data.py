"""One look at the sources of the experiments: whose rows have changed, and the runs that are due because of it."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from e2i_assets.adapters.repositories.experiments import ExperimentRow
from e2i_assets.adapters.repositories.run_requests import Cause, RunRequest
from e2i_assets.adapters.sources.fingerprints import Fingerprints
from e2i_assets.core.automation.changed_data import Decision, decision, summary
from e2i_assets.core.automation.new_experiments import run_key
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.sections import Source
from e2i_assets.services.project import Project

CAUSE: Cause = "changed_data"


@dataclass(frozen=True, slots=True)
class DataScan:
    """What came of one look.

    Attributes:
        requests: The runs that Dagster is not known to have yet.
        why: For the tick.
        last: The experiment that was looked at last: the next look begins behind it. Empty: at the beginning.
    """

    requests: Sequence[RunRequest]
    why: str
    last: str


@dataclass(slots=True)
class DataWatch:
    """Looks at the sources again and again, within bounded time each."""

    fingerprints: Fingerprints
    _sources: dict[str, tuple[str, Source]] = field(default_factory=dict)

    def look(self, project: Project, under_way: Collection[str], after: str = "", seconds: float = 1.0) -> DataScan:
        """Put on record whose rows have changed, and return what is to run.

        Args:
            workspace: The project.
            under_way: Experiments of which a run waits or goes on.
            after: Where the last look stopped.
            seconds: About how long this one may take.
        """
        requests, states = project.run_requests, project.source_states
        asked, read = requests.last(CAUSE), states.last()
        busy = {*under_way, *requests.waiting_experiments()}
        rows = [row for row in project.experiments.list() if row.experiment_name > after]
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
            before = asked.get(name)
            state = read.get(name)
            # A run that has read the rows since has answered the request, also where they were others again by then.
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
        requests.ask(new)
        left = len(rows) - len(decisions) - len(unreadable)
        return DataScan(requests.waiting(CAUSE), summary(decisions, unreadable, left), last if left else "")

    def _source(self, row: ExperimentRow) -> Source:
        known = self._sources.get(row.experiment_name)
        if known is None or known[0] != row.spec_hash:
            known = self._sources[row.experiment_name] = (row.spec_hash, Source.model_validate(row.spec["source"]))
        return known[1]
