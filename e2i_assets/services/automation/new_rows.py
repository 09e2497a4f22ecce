"""One scan of the new rows of the experiments: whose rows or model have changed since they were scored."""

import time
from collections.abc import Collection
from dataclasses import dataclass

from e2i_assets.adapters.sources.fingerprints import Fingerprints
from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.services.predict_new_rows import key_of, last_predictions
from e2i_assets.services.project import Project


@dataclass(frozen=True, slots=True)
class NewRowsScan:
    """The result of a scan.

    Attributes:
        due: The key of the run that is due, by experiment.
        why: The reason shown for the tick.
        last: The experiment that was scanned last, after which the next scan continues. Empty: at the beginning.
    """

    due: dict[str, str]
    why: str
    last: str


def scan(
    project: Project, fingerprints: Fingerprints, under_way: Collection[str], after: str = "", seconds: float = 5.0
) -> NewRowsScan:
    """Return the experiments whose new rows are to be scored.

    The stored predictions are the state: the key of a run is made of what is to be scored and of the predictions
    before, so a run that failed is not repeated for the same rows and model, and rows that return are scored again.

    Args:
        project: The project.
        fingerprints: Fingerprints of the sources.
        under_way: Experiments with a queued or running run.
        after: The experiment after which this scan continues.
        seconds: Approximate time limit; the next scan continues with the remaining experiments.
    """
    due: dict[str, str] = {}
    reasons: list[str] = []
    last, until = "", time.monotonic() + seconds
    for row in project.experiments.list():
        name = row.experiment_name
        if name <= after or not row.spec.get("predict"):
            continue
        if last and time.monotonic() > until:
            reasons.append("the next scan continues with the other experiments")
            break
        last = name
        if name in under_way:
            reasons.append(f"{name}: a run of it is in progress")
            continue
        try:
            champion = project.champions.current(row.id)
            if champion is None:
                reasons.append(f"{name}: no model is in use yet")
                continue
            experiment = experiment_from(row.spec, f"experiment {name}")
            assert experiment.predict is not None
            key = key_of(experiment, champion, fingerprints.fingerprint(experiment.predict.source))
        except E2iError as error:
            reasons.append(f"{name} not evaluated: {error}")
            continue
        before = last_predictions(project, name)
        if before is not None and before.key == key:
            reasons.append(f"{name}: its new rows are scored")
            continue
        # Rows that were scored, replaced and put back are due again, so the predictions before are part of the key.
        made = None if before is None else [before.key, before.predicted_at.isoformat()]
        due[name] = f"{name}:new_rows:{content_hash([key, made])}"
        reasons.append(f"{name}: its new rows or its model have changed")
    else:
        last = ""
    return NewRowsScan(due, "; ".join(reasons) or "no experiment has new rows to score (predict)", last)
