"""One project as the code above it sees it: its settings, its database, and where the values of its assets are."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2i_assets.adapters.files import asset_values
from e2i_assets.adapters.files.experiment_files import read_experiment
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
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from


class ExperimentRetired(E2iError):
    """An experiment that is not in use any more, and is asked for all the same."""


# What holds rows, or models with a few of them, or says what was done with them.
_PRIVATE = ("assets", "models", "champions", "reports", "mlflow-artifacts", "mlflow-outbox", "logs")


def opened(settings: Settings, database: Database) -> "Project":
    """Return the project, with the folders that hold rows readable by this account alone.

    A folder that is there already keeps its mode: somebody may have opened it on purpose. The one above them is not
    closed, since the embedded server of root works in it under an account of its own.
    """
    for name in _PRIVATE:
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
        """Splits, and the split that each entity keeps."""
        return SplitRepository(self.database)

    @property
    def leakage_audit(self) -> LeakageAuditRepository:
        """What was checked for leakage, for each split."""
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
        """The patterns that ship with the product."""
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
        """What each source held when it was last read."""
        return SourceStateRepository(self.database)

    def asset_folder(self, asset: str, experiment: str) -> Path:
        """Return where the value of an asset is kept for an experiment."""
        return self.settings.assets / asset / experiment

    def read(self, kind: type[Any], asset: str, experiment: str) -> Any:
        """Read the stored value of an asset as ``kind``.

        Raises:
            AssetMissing: It has not been made yet.
        """
        return asset_values.read(kind, self.asset_folder(asset, experiment))

    def experiment(self, name: str) -> Experiment:
        """Return a registered experiment.

        Raises:
            ExperimentNotRegistered: There is none of that name.
        """
        row = self.experiments.get(name)
        if row is None:
            raise ExperimentNotRegistered(
                f"experiment {name!r} is not registered: `e2i experiment list` shows which are"
            )
        return experiment_from(row.spec, f"registered experiment {name}")

    def current_experiment(self, name: str) -> Experiment:
        """Return an experiment as its file says today, and register it so; without a file, as it is registered.

        Raises:
            ExperimentInvalid: The file has mistakes; what was registered stays.
            ExperimentNotRegistered: There is neither a file nor a registered experiment of that name.
            ExperimentRetired: Its file was removed.
        """
        path = self.settings.experiments / f"{name}.yaml"
        if not path.is_file():
            row = self.experiments.get(name)
            if row is not None and row.retired_at is not None:
                raise ExperimentRetired(
                    f"experiment {name} is retired since {row.retired_at:%Y-%m-%d %H:%M}, when its file was gone: put "
                    f"experiments/{name}.yaml back, or leave it out. What was made for it is kept"
                )
            return self.experiment(name)
        experiment = read_experiment(path)
        if experiment.name != name:
            raise E2iError(f"{path} holds the experiment {experiment.name!r}: call the file {experiment.name}.yaml")
        self.experiments.register_experiment(experiment)
        return experiment

    def tracker(self) -> Tracker:
        """Return MLflow: a server of one's own, else the schema ``mlflow`` of the database."""
        uri = self.settings.mlflow_tracking_uri or self.database.url_for("mlflow")
        return Tracker(uri, self.settings.artifacts, self.database.advisory_lock)

    def model_folder(self, experiment: str, identity: str) -> Path:
        """Return where the model of a training is kept."""
        return self.settings.state / "models" / experiment / identity[:12]

    def champion_folder(self, experiment: str, model_key: str) -> Path:
        """Return where a model that became champion is kept, whatever is trained later."""
        return self.settings.state / "champions" / experiment / model_key[:12]
