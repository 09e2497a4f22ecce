"""An experiment: one prediction problem with its data, algorithm, budget and criteria, as its file declares it."""

from typing import Any

from pydantic import ConfigDict, Field, StrictStr

from e2i_assets.core.algorithms import registry
from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.experiments.search_sections import EarlyStopping, Hpo, WarmStart
from e2i_assets.core.experiments.sections import Columns, Leakage, Section, Source, Split, Target, Watch
from e2i_assets.core.experiments.space_changes import settled_space, undrawn_values
from e2i_assets.core.experiments.values import ColumnList, Label, Owner, ParameterValue, ProjectPath, Slug, Tag
from e2i_assets.core.imbalance import Choice
from e2i_assets.core.metrics import ProblemType, default_metric
from e2i_assets.core.search_space.space import SearchSpace, parse_space

_FOR_PEOPLE = frozenset({"description", "owner", "tags"})
# They decide whether there is a result, not which.
_GATES = frozenset({"quality_report", "leakage"})
# They decide when something is looked at, not what comes of it.
_FOR_WATCHING: dict[str, Any] = {"source": {"sql": {"watermark"}}, "watch": True}
# It decides where something is computed, not what.
_FOR_COMPUTING: dict[str, Any] = {"hpo": {"engine"}}


class Experiment(Section):
    """One experiment. Read it with `file.parse_experiment`, which judges the sections together as well."""

    # The file's key `search_space` holds changes; the method of that name returns what results from them.
    model_config = ConfigDict(serialize_by_alias=True)

    name: Slug = Field(description="Its name everywhere: partition, study, model.")
    description: StrictStr = Field(default="", description="What is predicted, and for whom.")
    owner: Owner = Field(description="A team, such as team:forecasting, or an e-mail address.")
    source: Source = Field(description="Where the rows come from: exactly one of sample, csv, parquet, sql.")
    target: Target = Field(description="The column to predict, or how to cut it into classes.")
    problem_type: ProblemType = Field(description="What kind of target it is.")
    positive_label: Label = Field(
        default=None, description="Binary only: the class that is looked for; default the last one."
    )
    columns: Columns = Columns()
    split: Split = Split()
    quality_report: ProjectPath | None = Field(
        default=None,
        description="A quality report of your own, JSON or YAML, relative to the project folder; it decides instead of "
        "ours whether training may start.",
    )
    leakage: Leakage = Leakage()
    algorithm: StrictStr = Field(description="What is tuned and trained.")
    metric: StrictStr = Field(
        default_factory=lambda known: default_metric(known["problem_type"]),
        description="What the search optimises; default roc_auc, f1_weighted or rmse, by problem type.",
    )
    search_space_changes: dict[str, dict[str, Any] | None] = Field(
        default_factory=dict,
        alias="search_space",
        description="Changes to the algorithm's search space. Without a type, single keys are changed; with one, the "
        "parameter is defined anew; null takes it out of the search.",
    )
    imbalance: Choice = Field(
        default="none",
        description="What fits do about uneven classes, on the train rows alone: weights, resampling, or "
        "what is recommended for these rows.",
    )
    fixed: dict[str, ParameterValue] = Field(default_factory=dict, description="Parameters that are not searched.")
    hpo: Hpo = Hpo()
    early_stopping: EarlyStopping = EarlyStopping()
    warm_start: WarmStart = WarmStart()
    watch: Watch = Watch()
    segments: ColumnList = Field(
        default=(),
        description="Columns by whose values the model is judged as well; dropped ones are kept for this.",
    )
    success_criteria: dict[str, Any] = Field(
        default_factory=dict, description="Thresholds on the test rows, such as roc_auc: 0.7 or maximum_rmse: 4."
    )
    tags: dict[Tag, Tag] = Field(default_factory=dict, description="Labels for people.")

    @property
    def target_name(self) -> str:
        """The target column of the dataset."""
        return self.target.name or self.target.column

    @property
    def spec_hash(self) -> str:
        """Identity of everything in the file that can change a result: not its description, owner, tags or gates."""
        left_out: dict[str, Any] = {
            **dict.fromkeys([*_FOR_PEOPLE, *_GATES], True),
            **_FOR_WATCHING,
            **_FOR_COMPUTING,
        }
        return content_hash(self.model_dump(mode="json", exclude=left_out))

    @property
    def run_hash(self) -> str:
        """Identity of everything in the file that a run acts on: the gates too, but nothing that is for people."""
        left_out: dict[str, Any] = {**dict.fromkeys(_FOR_PEOPLE, True), **_FOR_WATCHING, **_FOR_COMPUTING}
        return content_hash(self.model_dump(mode="json", exclude=left_out))

    @property
    def stops_rounds(self) -> bool:
        """Whether early stopping alone decides the boosting rounds, so that the search does not draw them."""
        algorithm = registry.algorithm(self.algorithm)
        if algorithm.rounds_cap is None or not self.early_stopping.enabled:
            return False
        if self.hpo.rounds is None:
            return self.search_space_changes.get(str(algorithm.rounds_parameter)) is None
        return self.hpo.rounds == "stopped"

    def search_space(self) -> SearchSpace:
        """Return what the study draws from: the algorithm's space with this experiment's changes."""
        algorithm = registry.algorithm(self.algorithm)
        return parse_space(settled_space(algorithm, self.problem_type, self._changes(), self.fixed))

    def default_parameters(self) -> dict[str, Any]:
        """Return the algorithm's default parameters, with the cap of rounds where early stopping decides them.

        A parameter that can never be drawn is what its definition says that it is otherwise.
        """
        algorithm = registry.algorithm(self.algorithm)
        cap = {str(algorithm.rounds_parameter): algorithm.rounds_cap} if self.stops_rounds else {}
        undrawn = undrawn_values(algorithm, self.problem_type, self._changes(), self.fixed)
        known = {**algorithm.default_values, **cap, **undrawn}
        return {**known, **algorithm.completing({**known, **self.fixed_parameters()})}

    def _changes(self) -> dict[str, dict[str, Any] | None]:
        """Return the changes to the search space, those included that other options make."""
        rounds = {str(registry.algorithm(self.algorithm).rounds_parameter): None} if self.stops_rounds else {}
        return {**self.search_space_changes, **rounds}

    def fixed_parameters(self) -> dict[str, Any]:
        """Return what is never searched: the algorithm's fixed parameters, overridden by this experiment's."""
        return {**registry.algorithm(self.algorithm).fixed_values, **self.fixed}
