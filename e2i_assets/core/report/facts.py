"""What a report is written from: the values of one training, and where everything of it is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.split_tables import SplitFacts
from e2i_assets.core.evaluation import measures
from e2i_assets.core.evaluation.intervals import Interval
from e2i_assets.core.evaluation.measures import Measure
from e2i_assets.core.evaluation.segments import Gap
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.permutation import FeatureImportance
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.training import Training


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is kept: an id or a path, and an address where it can be opened."""

    what: str
    where: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """One training, with everything that its report tells.

    Attributes:
        experiment: What was asked.
        facts: The split.
        hpo: What the search handed over.
        study: The search, None when there was none.
        training: The model and how it does.
        gaps: How far its segments lie apart.
        validation_importance: Features by what is lost without them.
        pictures: PNGs by file name.
        places: Where everything is kept, in the order in which it is shown.
        missing: What could not be done, such as the log in MLflow, each as a sentence.
        made_at: When.
        unused: Columns that nobody asked to keep out of the features and that are none, with the reason.
    """

    experiment: Experiment
    facts: SplitFacts
    hpo: HpoOutput
    study: StudyResult | None
    training: Training
    gaps: Sequence[Gap]
    validation_importance: Sequence[FeatureImportance]
    pictures: Mapping[str, bytes]
    places: Sequence[Place]
    missing: Sequence[str]
    made_at: datetime
    unused: Mapping[str, str] = field(default_factory=dict)

    @property
    def measure(self) -> Measure:
        """The number that the report is about: what was optimised, as an evaluation calls it."""
        problem_type = self.experiment.problem_type
        found = measures.measure(self.experiment.metric, problem_type)
        return found or measures.MEASURES[problem_type][measures.PRIMARY[problem_type]]

    @property
    def on_test(self) -> float | None:
        """It, on test."""
        return self.training.report.splits["test"].metrics.get(self.measure.name)

    @property
    def interval(self) -> Interval | None:
        """Its 95 % interval there."""
        return self.training.report.intervals.get(self.measure.name)

    @property
    def of_defaults(self) -> float | None:
        """The same number of the default parameters."""
        return self.training.default_metrics.get(self.measure.name)

    @property
    def of_dummy(self) -> float | None:
        """The same number of a model that has seen no feature."""
        return self.training.baseline_metrics.get(self.measure.name)


def number(value: float | None) -> str:
    """Return a number as a person reads it."""
    return "" if value is None else f"{value:,.4g}" if abs(value) < 1e6 else f"{value:.4g}"
