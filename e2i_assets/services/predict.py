"""Scores new rows with the champion of an experiment, in pieces, and writes the predictions to one file."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from e2i_assets.adapters.files.table_writer import FORMATS
from e2i_assets.adapters.repositories.models import StoredDecision
from e2i_assets.adapters.sources.limits import SourceLimits, source_limits
from e2i_assets.adapters.sources.source_pieces import ROWS_AT_A_TIME, pieces
from e2i_assets.core.data.new_rows import NewRows
from e2i_assets.core.data.row_places import RowPlaces, with_places
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.source_section import CsvFile, Source
from e2i_assets.core.fitting.reasons import require_explained
from e2i_assets.core.predictions import ModelLineage, predictions
from e2i_assets.services.prediction_targets import FileOfPredictions, PredictionTarget
from e2i_assets.services.project import Project
from e2i_assets.services.stored_model import promoted_model


class NoChampion(E2iError):
    """The experiment has no model in use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Predictions in a file or a table.

    Attributes:
        file: The file or the table.
        rows: The number of rows.
        lineage: The model of the predictions.
        unseen: By column, the rows of each category that the train rows do not have.
        not_used: Columns of the source that nothing uses.
        keys: Columns that identify a row.
        keys_missing: Declared keys that the source does not have.
    """

    file: str
    rows: int
    lineage: ModelLineage
    unseen: Mapping[str, Mapping[str, int]]
    not_used: tuple[str, ...]
    keys: tuple[str, ...]
    keys_missing: tuple[str, ...]


def predict_file(
    project: Project,
    name: str,
    kind: str,
    file: Path,
    to: Path,
    overwrite: bool = False,
    explain: bool = False,
    on_rows: Callable[[int], None] = lambda rows: None,
) -> Scored:
    """Score the rows of one file with the champion of an experiment.

    The file is read with the CSV settings of the experiment, and may be anywhere, because a person has named it.

    Args:
        project: The project.
        name: Name of the experiment.
        kind: ``csv`` or ``parquet``.
        file: The file, or a folder of Parquet files.
        to: The file of predictions.
        overwrite: Whether `to` may exist; it is replaced in one step.
        explain: Whether to add the reasons of each prediction.
        on_rows: Called with the number of rows that are scored so far.

    Raises:
        NoChampion: No model is in use.
        NotExplained: The algorithm of the model gives no reasons.
        DataInvalid: A column is missing, or a cell has another type than in the train rows. Nothing is written.
        E2iError: `to` exists, or cannot be written.
    """
    file, to = file.resolve(), to.resolve()
    _require_writable(to, file, overwrite)
    experiment = project.current_experiment(name)
    limits = source_limits(project.settings.environment)
    limits = replace(limits, folders=(*limits.folders, file.parent))
    by = scorer(project, experiment, champion_of(project, name), _source(experiment, kind, file), explain)
    return score(project, by, FileOfPredictions(to), limits, on_rows)


@dataclass(frozen=True, slots=True)
class Scorer:
    """The champion of an experiment, which scores the pieces of new rows in their order.

    Attributes:
        rows: Reads the pieces, and has the model.
        lineage: The origin of the model.
        explain: Whether to add the reasons of each prediction.
    """

    rows: NewRows
    lineage: ModelLineage
    explain: bool

    def scored(self, piece: pd.DataFrame, first: int) -> tuple[pd.DataFrame, Collection[str], pd.DataFrame]:
        """Return the features of a piece, the keys that it has, and its predictions; ``first`` numbers its rows."""
        keys, features = self.rows.row_keys(piece), self.rows.features(piece)
        return features, keys, predictions(self.rows.model, features, keys, first, self.lineage, self.explain)


def scorer(project: Project, experiment: Experiment, champion: StoredDecision, source: Source, explain: bool) -> Scorer:
    """Load a champion to score the rows of a source.

    Raises:
        ModelInvalid: The model is missing or differs from the one that was promoted.
        NotExplained: The algorithm of the model gives no reasons, which ``explain`` asks for.
    """
    rows = NewRows(promoted_model(project, experiment.name, champion.challenger_key), experiment, source)
    if explain:
        require_explained(rows.model)
    return Scorer(rows, _lineage(project, champion), explain)


def score(
    project: Project,
    by: Scorer,
    to: PredictionTarget,
    limits: SourceLimits | None = None,
    on_rows: Callable[[int], None] = lambda rows: None,
    on_features: Callable[[pd.DataFrame], None] = lambda features: None,
) -> Scored:
    """Score the rows of a source with the champion, and write the predictions in one step.

    Args:
        project: The project.
        by: The champion, and the source of the new rows.
        to: The place of the predictions.
        limits: The limits of the source; None takes those of the environment.
        on_rows: Called with the number of rows that are scored so far.
        on_features: Called with the features of each piece.

    Raises:
        DataInvalid: A column is missing, or a cell has another type than in the train rows. Nothing is written.
    """
    rows, settings = by.rows, project.settings
    done, missing = 0, rows.keys
    with to.writing() as write:
        for piece in pieces(rows.source, settings.root, settings.environment, rows.as_text, limits):
            features, keys, predicted = by.scored(piece, done + 1)
            write(predicted)
            on_features(features)
            missing = tuple(one for one in rows.keys if one not in keys)
            done += len(piece)
            on_rows(done)
        if not done:
            raise E2iError(f"{rows.source.place} has no rows, so there is nothing to predict")
    return Scored(
        file=to.shown,
        rows=done,
        lineage=by.lineage,
        unseen={name: dict(counts) for name, counts in rows.unseen.items()},
        not_used=rows.not_used,
        keys=tuple(one for one in rows.keys if one not in missing),
        keys_missing=missing,
    )


def predict_frame(project: Project, name: str, frame: pd.DataFrame, explain: bool = False) -> pd.DataFrame:
    """Score the rows of a table with the champion of an experiment.

    Cells are read like those of a Parquet source: the table has types and missing values of its own.

    Args:
        project: The project.
        name: Name of the experiment.
        frame: The rows, shape (n, columns); it is not changed.
        explain: Whether to add the reasons of each prediction.

    Returns:
        Shape (n, columns of the predictions), with the index of the rows. Its ``attrs`` have ``unseen`` and
        ``not_used``, as in `Scored`.

    Raises:
        NoChampion: No model is in use.
        NotExplained: The algorithm of the model gives no reasons.
        DataInvalid: A column is missing, or a cell has another type than in the train rows.
        E2iError: There are no rows.
    """
    experiment = project.current_experiment(name)
    source = Source.model_construct(parquet="the rows")
    by = scorer(project, experiment, champion_of(project, name), source, explain)
    if not len(frame):
        raise E2iError("the table has no rows, so there is nothing to predict")
    found = []
    for start in range(0, len(frame), ROWS_AT_A_TIME):
        piece = frame.iloc[start : start + ROWS_AT_A_TIME].reset_index(drop=True)
        found.append(by.scored(with_places(piece, RowPlaces("row", start + 1)), start + 1)[-1])
    rows = by.rows
    scored = pd.concat(found, ignore_index=True).set_index(frame.index)
    scored.attrs = {"unseen": {name: dict(of) for name, of in rows.unseen.items()}, "not_used": rows.not_used}
    return scored


def champion_of(project: Project, name: str) -> StoredDecision:
    """Return the decision that promoted the champion of an experiment.

    Raises:
        NoChampion: No model is in use.
    """
    champion = project.champions.current(project.experiments.id_of(name))
    if champion is None:
        raise NoChampion(
            f"{name} has no champion yet: `e2i run {name}` trains a model, which becomes the champion when it passes "
            "its checks"
        )
    return champion


def _lineage(project: Project, champion: StoredDecision) -> ModelLineage:
    run = project.training_runs.by_model_key(champion.experiment_id, champion.challenger_key)
    return ModelLineage(
        model_version=champion.mlflow_model_version or "",
        model_key=champion.challenger_key,
        study_key=run.spec_hash if run else "",
        training_run_id=run.id if run else "",
        predicted_at=datetime.now(UTC),
    )


def _source(experiment: Experiment, kind: str, file: Path) -> Source:
    """Return the source of a named file, with the CSV settings of the experiment."""
    if kind == "parquet":
        return Source.model_construct(parquet=str(file))
    options = experiment.source.csv or CsvFile(path=file.name)
    return Source.model_construct(csv=options.model_copy(update={"path": str(file)}))


def _require_writable(to: Path, file: Path, overwrite: bool) -> None:
    if to.suffix not in FORMATS:
        raise E2iError(f"{to.name}: predictions are written to a file that ends in {' or '.join(FORMATS)}")
    if to == file:
        raise E2iError(f"{to} has the rows to predict: give another file for the predictions")
    if not to.parent.is_dir():
        raise E2iError(f"{to} cannot be written: there is no folder {to.parent}")
    if to.exists() and not overwrite:
        raise E2iError(f"{to} exists already: choose another file, or replace it with --force")
