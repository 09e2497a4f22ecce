"""Keeps the predictions of an experiment's new rows up to date: scored once for the same rows and the same model."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import pandas as pd

from e2i_assets.adapters.files.asset_values import AssetDamaged, AssetMissing
from e2i_assets.adapters.repositories.models import StoredDecision
from e2i_assets.adapters.sources.fingerprints import Fingerprints
from e2i_assets.core.automation.drift import FEWEST_ROWS, feature_drift
from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.data.table_schema import feature_violations
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.source_section import Source
from e2i_assets.core.fitting.date_parts import is_date
from e2i_assets.core.predictions import NewPredictions, Thinned, scores_of
from e2i_assets.services.data_gates import schema_in_force
from e2i_assets.services.predict import champion_of, score, scorer
from e2i_assets.services.prediction_targets import FileOfPredictions, target_of
from e2i_assets.services.project import Project

ASSET = "predictions"


class NothingToPredict(E2iError):
    """The experiment has no section `predict`."""


def key_of(experiment: Experiment, champion: StoredDecision, fingerprint: str) -> str:
    """Return the key of the predictions of rows by a model: what determines their content."""
    assert experiment.predict is not None
    reading = experiment.columns.model_dump(mode="json")
    to, explain = experiment.predict.to or experiment.predict.model_dump()["table"], experiment.predict.explain
    parts = {"rows": fingerprint, "model": champion.challenger_key, "columns": reading, "to": to, "explain": explain}
    return content_hash(parts)


def last_predictions(project: Project, name: str) -> NewPredictions | None:
    """Return the stored predictions of an experiment, None without any that can be read."""
    with suppress(AssetMissing, AssetDamaged):
        found: NewPredictions = project.read(NewPredictions, ASSET, name)
        return found
    return None


def predict_new_rows(
    project: Project,
    experiment: Experiment,
    rows: TrainingRows,
    report: Callable[[str], None],
    source: Source | None = None,
) -> tuple[NewPredictions, bool]:
    """Score the new rows of an experiment with its champion, unless that is done.

    A file that was changed or deleted is written again, and a table of which rows were replaced or deleted.

    Args:
        project: The project.
        experiment: The experiment.
        rows: The train rows, to compare with.
        report: Called with a sentence on the progress.
        source: Where the new rows are; None for `predict.source`.

    Returns:
        The predictions, and whether they were made now.

    Raises:
        NothingToPredict: The experiment has no section `predict`.
        NoChampion: No model is in use.
        DataInvalid: The rows do not fit the model. The earlier predictions are unchanged.
    """
    if experiment.predict is None:
        raise NothingToPredict(f"{experiment.name} has no section predict, so there are no new rows to score")
    settings, champion = project.settings, champion_of(project, experiment.name)
    source = source or experiment.predict.source
    # Before the rows are read: a change while they are read is found by the next scan.
    fingerprint = Fingerprints(settings.root, settings.environment).fingerprint(source)
    key, before = key_of(experiment, champion, fingerprint), last_predictions(project, experiment.name)
    to = target_of(project, experiment)
    if before is not None and before.key == key and to.content(before.predicted_at) == before.content:
        return before, False
    if isinstance(to, FileOfPredictions):
        to.file.parent.mkdir(parents=True, exist_ok=True)
    some = Thinned()
    by = scorer(project, experiment, champion, source, experiment.predict.explain)
    found = score(project, by, to, on_rows=lambda count: report(f"{count:,} rows scored"), on_features=some.add)
    compared = some.table()
    lineage = {name: getattr(found.lineage, name) for name in type(found.lineage).__slots__}
    return NewPredictions(
        key=key,
        place=to.shown,
        content=str(to.content(found.lineage.predicted_at)),
        rows=found.rows,
        rows_before=before.rows if before else None,
        compared_rows=len(compared),
        **lineage,
        unseen={name: sum(categories.values()) for name, categories in found.unseen.items()},
        not_used=found.not_used,
        schema_mistakes=_schema_mistakes(project, experiment, compared),
        **_drift(by.rows.model, experiment, rows, compared),
    ), True


def _drift(model: Any, experiment: Experiment, rows: TrainingRows, compared: pd.DataFrame) -> dict[str, Any]:
    """Compare features with the train rows, and scores with those of the test rows, which no fit has seen."""
    shared = [name for name in model.feature_names_in_ if name in rows.facts.features]
    if len(compared) < FEWEST_ROWS or len(shared) < len(model.feature_names_in_):
        return {"drift": (), "score_drift": None}
    largest = experiment.watch.largest_psi
    drifts = feature_drift(rows.train.columns(shared), compared[shared], largest)
    (scores,) = feature_drift(scores_of(model, rows.test.columns(shared)), scores_of(model, compared), largest)
    return {"drift": tuple(map(asdict, drifts)), "score_drift": asdict(scores)}


def _schema_mistakes(project: Project, experiment: Experiment, compared: pd.DataFrame) -> tuple[str, ...] | None:
    found = schema_in_force(project.settings, experiment)
    if found is None:
        return None
    typed = {
        name: compared[name].dt.as_unit("us") if is_date(compared[name]) else compared[name].astype("category")
        for name in compared.columns
        if is_date(compared[name]) or compared[name].dtype == object
    }
    return tuple(feature_violations(*found, compared.assign(**typed)))
