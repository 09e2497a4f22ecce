"""One scan of the experiments' newer rows: records which have drifted and returns the due re-tunes."""

import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import numpy as np

from e2i_assets.adapters.repositories.experiments import ExperimentRow
from e2i_assets.adapters.repositories.models import StoredDecision
from e2i_assets.adapters.repositories.monitoring import DriftRow, StoredReport
from e2i_assets.adapters.repositories.run_requests import Cause, LastRequest, RunRequest
from e2i_assets.adapters.sources import datasets
from e2i_assets.adapters.sources.fingerprints import Fingerprints
from e2i_assets.core.automation.drift import FEWEST_ROWS, Decay, conclusion, decay, feature_drift, retune_is_due
from e2i_assets.core.automation.new_experiments import run_key
from e2i_assets.core.data.recent_rows import RecentRows, recent_rows
from e2i_assets.core.data.split_tables import SplitFacts, TrainingRows
from e2i_assets.core.errors import E2iError
from e2i_assets.core.evaluation.evaluation import split_metrics
from e2i_assets.core.evaluation.intervals import bootstrap_intervals
from e2i_assets.core.evaluation.measures import Measure, measure
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.fitting.fit_context import predicted_table, target_codes
from e2i_assets.services.project import Project
from e2i_assets.services.stored_model import promoted_model

CAUSE: Cause = "drifted_data"


@dataclass(frozen=True, slots=True)
class DriftScan:
    """The result of a scan.

    Attributes:
        requests: The requests that Dagster has not yet launched, as far as known.
        reports: The result for newer rows that had not been evaluated before, by experiment.
        why: The reason shown for the tick.
        last: The experiment that was scanned last, after which the next scan continues. Empty: at the beginning.
    """

    requests: Sequence[RunRequest]
    reports: dict[str, DriftRow]
    why: str
    last: str


def scan(
    project: Project, fingerprints: Fingerprints, under_way: Collection[str], after: str = "", seconds: float = 10.0
) -> DriftScan:
    """Compare newer rows with those that the champions were trained on, record the results, and return the due runs.

    Recorded drift makes a run due, whether it is new or not: also after a run, a cool-down or a crash of this process.

    Args:
        project: The project.
        fingerprints: Fingerprints of the sources.
        under_way: Experiments with a queued or running run.
        after: The experiment after which this scan continues.
        seconds: Approximate time limit; the next scan continues with the remaining experiments.
    """
    store, seen = project.run_requests, project.drift_reports.last()
    busy = {*under_way, *store.waiting_experiments()}
    requested = store.last(CAUSE)
    until = time.monotonic() + seconds
    reports: dict[str, DriftRow] = {}
    reasons: list[str] = []
    last = ""
    for row in _watched(project, after):
        name, known = row.experiment_name, seen.get(row.id)
        if last and time.monotonic() > until:
            reasons.append("the next scan continues with the other experiments")
            break
        last = name
        try:
            experiment = experiment_from(row.spec, f"experiment {name}")
            found = _report(project, experiment, row, fingerprints, known)
        except E2iError as error:
            reasons.append(f"{name} not evaluated: {error}")
            continue
        if found is None:
            reasons.append(f"{name}: no model yet")
            continue
        is_new = found is not known
        reasons.append(f"{name}: {found.reason if is_new else 'no newer rows since the last scan'}")
        if is_new:
            reports[name] = found
            project.drift_reports.save(found)
        if name not in busy and (request := _retune(experiment, found, requested.get(name))):
            store.record([request])
    else:
        last = ""
    reasons = reasons or ["no experiment has a source of newer rows (watch.recent)"]
    return DriftScan(store.waiting(CAUSE), reports, "; ".join(reasons), last)


def _watched(project: Project, after: str) -> list[ExperimentRow]:
    """Return the experiments after a name that have a source of newer rows."""
    rows = (row for row in project.experiments.watched() if row.experiment_name > after)
    return [row for row in rows if (row.spec.get("watch") or {}).get("recent")]


def _retune(experiment: Experiment, found: DriftRow, before: LastRequest | None) -> RunRequest | None:
    """Return the re-tune that is due because of drift, unless it was requested before or the cool-down applies."""
    is_due = retune_is_due(
        found.drifted and not (before and before.content_hash == found.fingerprint),
        before.requested_at if before else None,
        datetime.now(UTC),
        experiment.watch.cool_down_days,
    )
    if not is_due:
        return None
    key = run_key(experiment.name, CAUSE, found.fingerprint.rpartition(":")[2], before.times if before else 0)
    return RunRequest(
        run_key=key, experiment=experiment.name, cause=CAUSE, content_hash=found.fingerprint, reason=found.reason
    )


def _report(
    project: Project,
    experiment: Experiment,
    row: ExperimentRow,
    fingerprints: Fingerprints,
    seen: StoredReport | None,
) -> DriftRow | None:
    """Return the drift report: `seen` if it is for these rows and this model; None without a model."""
    champion = project.champions.current(row.id)
    assert experiment.watch.recent is not None
    if champion is None:
        return None
    fingerprint = f"{champion.challenger_key[:12]}:{fingerprints.fingerprint(experiment.watch.recent)}"
    if seen and fingerprint == seen.fingerprint:
        return seen
    stored: TrainingRows = project.read(TrainingRows, "validation_splits", experiment.name)
    raw = datasets.load(experiment.watch.recent, project.settings.root, project.settings.environment)
    recent = recent_rows(raw, stored.train.blank(), tuple(stored.facts.classes), experiment)
    enough = len(recent.features) >= FEWEST_ROWS
    drifts = feature_drift(stored.train.features, recent.features, experiment.watch.largest_psi) if enough else []
    labelled = int(recent.target.notna().sum())
    decayed = _decay(project, experiment, champion, recent, stored.facts) if labelled >= FEWEST_ROWS else None
    drifted, reason = conclusion(len(recent.features), drifts, decayed, labelled)
    return DriftRow(
        experiment_id=row.id,
        fingerprint=fingerprint,
        rows_seen=len(recent.features),
        labelled_rows=labelled,
        drifted=drifted,
        reason=reason,
        features=[asdict(one) for one in drifts],
        metric=decayed.metric if decayed else None,
        metric_then=decayed.then if decayed else None,
        metric_now=decayed.now if decayed else None,
    )


def _decay(
    project: Project, experiment: Experiment, champion: StoredDecision, recent: RecentRows, facts: SplitFacts
) -> Decay | None:
    counted = measure(experiment.metric, experiment.problem_type) or Measure(experiment.metric)
    weights = recent.weights
    known = recent.target.notna() if weights is None else recent.target.notna() & (weights > 0)
    if not known.any():
        return None
    truth = target_codes(recent.target[known], facts.classes)
    if facts.classes and len(np.unique(truth)) < 2:
        return None
    model = promoted_model(project, experiment.name, champion.challenger_key)
    prediction = predicted_table(model, recent.features[known])
    rows = (experiment.problem_type, truth, prediction, champion.decision_threshold)
    of_rows = None if weights is None else weights[known]
    losses, seed = experiment.loss_metrics, experiment.hpo.seed
    intervals = bootstrap_intervals(*rows, ordered=facts.ordered, weights=of_rows, loss_metrics=losses, seed=seed)
    value = split_metrics(*rows, ordered=facts.ordered, weights=of_rows, loss_metrics=losses).get(counted.name)
    return decay(counted, champion.challenger_value, intervals.get(counted.name), value)
