"""One scan of the experiments: records new, changed, invalid and deleted ones, and returns the due runs."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from e2i_assets.adapters.files.asset_values import AssetDamaged, AssetMissing
from e2i_assets.adapters.files.experiment_files import mistakes_by_file
from e2i_assets.adapters.repositories.experiments import ExperimentRow
from e2i_assets.adapters.repositories.run_requests import Cause, LastRequest, RunRequest
from e2i_assets.core.automation.new_experiments import Decision, Found, Known, decision, run_key, summary
from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.data.split_tables import SplitFacts
from e2i_assets.core.errors import ExperimentInvalid
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.services.automation.cached_files import FileCache, FolderScan
from e2i_assets.services.freshness import is_trained
from e2i_assets.services.project import Project
from e2i_assets.services.retire import COMPONENT_IS_GONE, component_is_gone, restore_aliases, retire
from e2i_assets.services.run_lock import run_by_command

CAUSE: Cause = "new_experiment"
_BY_COMMAND = Decision("nothing", "`e2i run` works on it: the scan after its end decides")
_COMPONENT_GONE = Decision("retire", COMPONENT_IS_GONE)
_RUNS = Decision("nothing", "it is retired when its run has ended")


@dataclass(frozen=True, slots=True)
class ExperimentScan:
    """The result of a scan.

    Attributes:
        active: All experiments in use; each is a partition of the graph.
        requests: The requests that Dagster has not yet launched, as far as known.
        invalid: The errors of each file that is not valid.
        retired: All experiments that are not in use; none of them is a partition.
        now_retired: Those that this scan has retired, with the reason.
        why: The reason shown for the tick.
    """

    active: Sequence[str]
    requests: Sequence[RunRequest]
    invalid: Mapping[str, str]
    retired: Sequence[str]
    now_retired: Mapping[str, str]
    why: str


@dataclass(slots=True)
class ExperimentScanner:
    """Scans the experiments repeatedly, in bounded time per scan."""

    _files: FileCache = field(default_factory=FileCache)
    _rows: dict[str, tuple[str, Experiment | ExperimentInvalid]] = field(default_factory=dict)
    _hashes: dict[str, tuple[Experiment, Found]] = field(default_factory=dict)

    def scan(
        self, project: Project, seconds: float = 1.0, under_way: Callable[[], Collection[str]] = tuple
    ) -> ExperimentScan:
        """Record changes and return the due runs.

        Args:
            project: The project.
            seconds: Approximate time limit for reading new files.
            under_way: Returns the experiments with a run in progress, which are not retired before its end.

        Raises:
            E2iError: The folder of experiments does not exist.
        """
        seen = self._files.read(project.settings.experiments, seconds)
        known = project.experiments.list(retired_too=True)
        rows = {row.experiment_name: row for row in known if row.upstream is None}
        last = project.run_requests.last(CAUSE)
        experiments, invalid = self._found(seen, rows)
        found = {name: self._hashed(one) for name, one in experiments.items()}
        steps = _steps(seen, rows, last, found, invalid)
        by_command = run_by_command(project, steps.keys())
        steps |= {name: _BY_COMMAND for name in by_command if steps[name].step == "run"}
        lost = [row.experiment_name for row in known if _has_lost_its_component(row)]
        steps |= {name: _COMPONENT_GONE for name in lost if name not in steps}
        if retiring := [name for name, one in steps.items() if one.step == "retire"]:
            steps |= dict.fromkeys(set(retiring) & set(under_way()), _RUNS)
        _store_steps(project, steps, experiments, seen, rows, last)
        now_retired = {name: one.why for name, one in steps.items() if one.step == "retire"}
        waiting = project.run_requests.waiting(CAUSE)
        active = {name for name, row in rows.items() if row.is_active} | set(experiments)
        active -= now_retired.keys()
        retired = {row.experiment_name for row in known if not row.is_active} | now_retired.keys()
        waiting = [one for one in waiting if one.experiment in active and one.experiment not in by_command]
        why = summary(steps, invalid, [one.experiment for one in waiting])
        if seen.unread:
            why += f"; {len(seen.unread)} files are not read yet: the next scan continues with them"
        return ExperimentScan(sorted(active), waiting, invalid, sorted(retired - active), now_retired, why)

    def _found(
        self, seen: FolderScan, rows: Mapping[str, ExperimentRow]
    ) -> tuple[dict[str, Experiment], dict[str, str]]:
        """Return all readable experiments (from files, else from rows) and the errors of the others."""
        experiments = dict(seen.folder.experiments)
        invalid = mistakes_by_file(seen.folder)
        for name, row in rows.items():
            if row.from_file or not row.is_active or name in experiments:
                continue
            found = self._of_row(row)
            if isinstance(found, ExperimentInvalid):
                invalid[f"row {name} of ml_experiments"] = ", ".join(str(one) for one in found.violations)
            else:
                experiments[name] = found
        return experiments, invalid

    def _of_row(self, row: ExperimentRow) -> Experiment | ExperimentInvalid:
        known = self._rows.get(row.experiment_name)
        if known is None or known[0] != row.spec_hash:
            try:
                found: Experiment | ExperimentInvalid = experiment_from(row.spec, f"experiment {row.experiment_name}")
            except ExperimentInvalid as mistakes:
                found = mistakes
            known = self._rows[row.experiment_name] = (row.spec_hash, found)
        return known[1]

    def _hashed(self, experiment: Experiment) -> Found:
        """Return the hashes of an experiment, cached by object identity."""
        known = self._hashes.get(experiment.name)
        if known is None or known[0] is not experiment:
            found = Found(spec_hash=content_hash(experiment.model_dump(mode="json")), run_hash=experiment.run_hash)
            known = self._hashes[experiment.name] = (experiment, found)
        return known[1]


def _steps(
    seen: FolderScan,
    rows: Mapping[str, ExperimentRow],
    last: Mapping[str, LastRequest],
    experiments: Mapping[str, Found],
    invalid: Mapping[str, str],
) -> dict[str, Decision]:
    """Decide the step for each current and former experiment, except for files that were not read yet."""
    broken = {path.stem for path in seen.folder.invalid} | {
        name for name in rows if f"row {name} of ml_experiments" in invalid
    }
    unread = {path.stem for path in seen.unread}
    steps = {}
    for name in sorted((experiments.keys() | rows.keys()) - unread):
        found, row, requested = experiments.get(name), rows.get(name), last.get(name)
        of_a_row = found is not None and name not in seen.folder.experiments
        known = Known(
            # An experiment that exists only as a row is registered already.
            spec_hash=found.spec_hash if found and of_a_row else row.spec_hash if row else None,
            requested_hash=requested.content_hash if requested else None,
            active=row is not None and row.is_active,
            from_file=of_a_row or (row is not None and row.from_file),
        )
        steps[name] = decision(found, name in broken and found is None, known)
    return steps


def _store_steps(
    project: Project,
    steps: Mapping[str, Decision],
    experiments: Mapping[str, Experiment],
    seen: FolderScan,
    rows: Mapping[str, ExperimentRow],
    last: Mapping[str, LastRequest],
) -> None:
    store, requests = project.experiments, project.run_requests
    for name, one in steps.items():
        if one.step == "retire":
            retire(project, name)
    registered = [name for name, one in steps.items() if one.step in ("run", "register")]
    store.register_experiments([experiments[name] for name in registered if name in seen.folder.experiments])
    restore_aliases(project, [name for name in registered if name in rows and not rows[name].is_active])
    to_run = [name for name, one in steps.items() if one.step == "run"]
    done = {name for name in to_run if name not in last and _is_done(project, experiments[name])}
    requests_by_name = {
        name: RunRequest(
            run_key=run_key(name, CAUSE, experiments[name].run_hash, last[name].times if name in last else 0),
            experiment=name,
            cause=CAUSE,
            content_hash=experiments[name].run_hash,
            reason=steps[name].why,
        )
        for name in to_run
    }
    requests.record([requests_by_name[name] for name in to_run if name in done], needed=False)
    requests.record([requests_by_name[name] for name in to_run if name not in done])


def _has_lost_its_component(row: ExperimentRow) -> bool:
    return row.is_active and row.upstream is not None and component_is_gone(row.upstream)


def _is_done(project: Project, experiment: Experiment) -> bool:
    """Return whether it was trained before this scan, for example with `e2i run`."""
    try:
        facts: SplitFacts = project.read(SplitFacts, "validation_splits", experiment.name)
    except (AssetMissing, AssetDamaged):
        return False
    return is_trained(project, experiment, facts)
