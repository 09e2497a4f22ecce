"""A project: its settings, its database with the repositories, and the folders of its asset values."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from e2i_assets.adapters.files import asset_values
from e2i_assets.adapters.files.asset_values import AssetDamaged
from e2i_assets.adapters.files.experiment_files import read_experiment
from e2i_assets.adapters.mlflow.outbox import Outbox
from e2i_assets.adapters.mlflow.tracker import Tracker
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.experiments import ExperimentNotRegistered, ExperimentRepository
from e2i_assets.adapters.repositories.models import ChampionRepository
from e2i_assets.adapters.repositories.monitoring import DriftReportRepository, SourceStateRepository
from e2i_assets.adapters.repositories.pattern_maintenance import PatternMaintenance
from e2i_assets.adapters.repositories.pattern_writes import StarterPatternRepository
from e2i_assets.adapters.repositories.patterns import PatternRepository
from e2i_assets.adapters.repositories.run_requests import RunRequestRepository
from e2i_assets.adapters.repositories.splits import LeakageAuditRepository, SplitRepository
from e2i_assets.adapters.repositories.studies import StudyRepository
from e2i_assets.adapters.repositories.test_access import TestAccessRepository
from e2i_assets.adapters.repositories.training_runs import TrainingRunRepository
from e2i_assets.adapters.settings import Settings
from e2i_assets.adapters.stores.store import Store, StoredDamaged
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from


class _Chosen(BaseModel):
    """The field that is read from a stored search."""

    algorithm: str | None = None


class ExperimentRetired(E2iError):
    """The experiment is retired."""


MODEL_MODE = 0o755  # a model has no rows: others may serve it
# Folders that contain rows, models with some of them, or logs about them.
_PRIVATE = ("assets", "models", "champions", "reports", "mlflow-artifacts", "mlflow-outbox", "logs")


def opened(settings: Settings, database: Database) -> "Project":
    """Return the project, after creating the folders with rows so that only this account can read them.

    The mode of an existing folder is unchanged, because the user may have set it. The parent folder stays readable,
    because an embedded server started by root runs under another account.
    """
    for name in _PRIVATE if settings.address is None else ("logs", "cache"):
        (settings.state / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    return Project(settings, database)


@dataclass(frozen=True, slots=True)
class Project:
    """Settings and database of one project."""

    settings: Settings
    database: Database

    @property
    def experiments(self) -> ExperimentRepository:
        """Registered experiments."""
        return ExperimentRepository(self.database)

    @property
    def splits(self) -> SplitRepository:
        """Splits, and the assignments of the entities."""
        return SplitRepository(self.database)

    @property
    def leakage_audit(self) -> LeakageAuditRepository:
        """Results of the leakage audit of each split."""
        return LeakageAuditRepository(self.database)

    @property
    def studies(self) -> StudyRepository:
        """Studies and their trials."""
        return StudyRepository(self.database)

    @property
    def training_runs(self) -> TrainingRunRepository:
        """Training runs and their links."""
        return TrainingRunRepository(self.database)

    @property
    def test_access(self) -> TestAccessRepository:
        """Accesses to the test set and openings of the holdout."""
        return TestAccessRepository(self.database)

    @property
    def champions(self) -> ChampionRepository:
        """Decisions on which model is the champion."""
        return ChampionRepository(self.database)

    @property
    def patterns(self) -> PatternRepository:
        """The HPO pattern memory."""
        return PatternRepository(self.database)

    @property
    def pattern_maintenance(self) -> PatternMaintenance:
        """Statistics and pruning of the pattern memory."""
        return PatternMaintenance(self.database)

    @property
    def starter_patterns(self) -> StarterPatternRepository:
        """The starter memory."""
        return StarterPatternRepository(self.database)

    @property
    def run_requests(self) -> RunRequestRepository:
        """Runs that automation has requested."""
        return RunRequestRepository(self.database)

    @property
    def drift_reports(self) -> DriftReportRepository:
        """Reports on the drift of newer rows."""
        return DriftReportRepository(self.database)

    @property
    def source_states(self) -> SourceStateRepository:
        """Fingerprint of each source when it was last read."""
        return SourceStateRepository(self.database)

    @property
    def store(self) -> Store:
        """The store of values, models, champions, reports and the outbox."""
        return self.settings.store

    @property
    def outbox(self) -> Outbox:
        """Trainings that are not logged in MLflow yet."""
        return Outbox(self.store)

    def asset_folder(self, asset: str, experiment: str) -> Path:
        """Return a folder with the files of an asset's value for an experiment; it does not exist without a value."""
        return self.store.folder(self.settings.value_key(asset, experiment))

    def has_value(self, asset: str, experiment: str) -> bool:
        """Return whether an asset has been materialized for an experiment."""
        return self.store.exists(self.settings.value_key(asset, experiment))

    def read(self, kind: type[Any], asset: str, experiment: str) -> Any:
        """Read the stored value of an asset as ``kind``.

        Raises:
            AssetMissing: The asset has not been materialized.
            AssetDamaged: Its files are not those that were written, or have another format.
        """
        return stored_value(self.settings, kind, asset, experiment)

    def write(self, value: object, asset: str, experiment: str) -> str:
        """Replace the value of an asset in one step, and return where it is."""
        key = self.settings.value_key(asset, experiment)
        with self.store.replacing(key) as fresh:
            asset_values.write_files(value, fresh)
        return self.store.location(key)

    def experiment(self, name: str) -> Experiment:
        """Return a registered experiment.

        Raises:
            ExperimentNotRegistered: No experiment has this name.
        """
        row = self.experiments.get(name)
        if row is None:
            raise ExperimentNotRegistered(
                f"experiment {name!r} is not registered: `e2i experiment list` shows the registered ones"
            )
        return experiment_from(row.spec, f"registered experiment {name}")

    def decided_experiment(self, name: str) -> Experiment:
        """Return a registered experiment with one algorithm: of several, the one that its stored search has chosen.

        Raises:
            AssetMissing: It compares algorithms, and they have not been searched.
            E2iError: Its stored search is of an algorithm that it no longer names.
        """
        experiment = self.experiment(name)
        if len(experiment.contenders) == 1:
            return experiment
        chosen: _Chosen = self.read(_Chosen, "hpo_study", name)
        return experiment.of(chosen.algorithm or "no algorithm")

    def current_experiment(self, name: str) -> Experiment:
        """Return an experiment from its current file and register it; without a file, return the registered one.

        Raises:
            ExperimentInvalid: The file is not valid; the registered experiment is unchanged.
            ExperimentNotRegistered: There is neither a file nor a registered experiment with this name.
            ExperimentRetired: The file was deleted, or the experiment was removed.
        """
        path = self.settings.experiments / f"{name}.yaml"
        if not path.is_file():
            row = self.experiments.get(name)
            if row is not None and row.retired_at is not None:
                raise ExperimentRetired(
                    f"experiment {name} is retired since {row.retired_at:%Y-%m-%d %H:%M}, when it was removed or its "
                    f"file was gone: put experiments/{name}.yaml back, or leave it out. What was made for it is kept"
                )
            return self.experiment(name)
        experiment = read_experiment(path)
        if experiment.name != name:
            raise E2iError(f"{path} holds the experiment {experiment.name!r}: call the file {experiment.name}.yaml")
        self.experiments.register_experiment(experiment)
        return experiment

    def tracker(self) -> Tracker:
        """Return the tracker: the user's MLflow server, or the schema ``mlflow`` of the database."""
        uri = self.settings.mlflow_tracking_uri or self.database.url_for("mlflow")
        return Tracker(uri, self.settings.artifacts, self.database.advisory_lock)

    def model_key(self, experiment: str, identity: str) -> str:
        """Return the key in the store of the model of a training."""
        return f"models/{experiment}/{identity[:12]}"

    def model_folder(self, experiment: str, identity: str) -> Path:
        """Return a folder with the model of a training; it does not exist without one."""
        return self.store.folder(self.model_key(experiment, identity))

    def champion_key(self, experiment: str, model_key: str) -> str:
        """Return the key in the store of a promoted model, which later trainings do not change."""
        return f"champions/{experiment}/{model_key[:12]}"

    def champion_folder(self, experiment: str, model_key: str) -> Path:
        """Return a folder with a promoted model; it does not exist without one."""
        return self.store.folder(self.champion_key(experiment, model_key))


def stored_value(settings: Settings, kind: type[Any], asset: str, experiment: str) -> Any:
    """Read the stored value of an asset as ``kind``, without a database. Raises the errors of `Project.read`."""
    try:
        folder = settings.store.folder(settings.value_key(asset, experiment), asset_values.files_of(kind))
    except StoredDamaged as error:
        raise AssetDamaged(
            f"the stored {asset} of {experiment} cannot be read, materialise it again: {error}"
        ) from error
    return asset_values.read(kind, folder)
