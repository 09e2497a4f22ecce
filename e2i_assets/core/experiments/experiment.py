"""An experiment: one prediction problem with its data, algorithm, budget and success criteria, as in its file."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field, StrictStr

from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.algorithm import Algorithm
from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.predict_section import Predict
from e2i_assets.core.experiments.search_sections import EarlyStopping, Hpo, WarmStart
from e2i_assets.core.experiments.section import Section
from e2i_assets.core.experiments.sections import Columns, Costs, Leakage, Split, Target, Watch
from e2i_assets.core.experiments.source_section import Source
from e2i_assets.core.experiments.space_changes import settled_space, undrawn_values
from e2i_assets.core.experiments.values import (
    AUTO,
    Algorithms,
    ColumnList,
    Label,
    Owner,
    ParameterValue,
    ProjectPath,
    QuantileLevel,
    Slug,
    Tag,
)
from e2i_assets.core.imbalance import Choice
from e2i_assets.core.losses import Loss, LossName, loss_metrics
from e2i_assets.core.metrics import ProblemType, default_metric
from e2i_assets.core.search_space.space import SearchSpace, parse_space

# What the final model learns from: the train rows, train and validation rows, or the folds of both.
FinalModel = Literal["train_only", "refit", "folds"]
_FOR_PEOPLE = frozenset({"description", "owner", "tags"})
# They determine whether there is a result, but do not change it.
_GATES = frozenset({"quality_report", "leakage"})
# They determine when data or models are checked or used, but do not change the result.
_FOR_WATCHING: dict[str, Any] = {"source": {"sql": {"watermark"}}, "watch": True, "predict": True}
# It determines where trials run, but does not change the result.
_FOR_COMPUTING: dict[str, Any] = {"hpo": {"engine"}}


class Experiment(Section):
    """One experiment. Read it with `file.parse_experiment`, which also checks the rules between the sections."""

    # The key `search_space` of the file contains changes; the method of that name returns the resulting space. The key
    # `algorithm` may name several; the property of that name is the only one.
    model_config = ConfigDict(serialize_by_alias=True)
    later_keys: ClassVar[tuple[str, ...]] = ("costs", "loss", "quantile")

    name: Slug = Field(description="The name of the experiment: also of its partition, study and model.")
    description: StrictStr = Field(default="", description="What the model predicts, and for whom.")
    owner: Owner = Field(description="A team, such as team:forecasting, or an e-mail address.")
    source: Source = Field(description="The source of the rows: exactly one of sample, csv, parquet, sql.")
    target: Target = Field(description="The column to predict, or how to cut a numeric column into classes.")
    problem_type: ProblemType = Field(description="The kind of prediction problem.")
    positive_label: Label = Field(
        default=None, description="Binary classification only: the positive class. Null: the last class."
    )
    columns: Columns = Columns()
    split: Split = Split()
    quality_report: ProjectPath | None = Field(
        default=None,
        description="Your own quality report, a JSON or YAML file relative to the project folder; it replaces the "
        "built-in one in the decision whether training may start.",
    )
    leakage: Leakage = Leakage()
    chosen_algorithms: Algorithms = Field(
        alias="algorithm",
        description="The algorithm to tune and train. A list compares several in one budget of trials; auto compares "
        "a linear model, LightGBM and XGBoost. The best is trained, or a simpler one if the difference is within the "
        "noise.",
    )
    loss: LossName = Field(
        default="squared_error",
        description="Regression only: what fits minimise. squared_error predicts the mean, absolute_error the median, "
        "quantile the quantile that the key of that name gives; poisson (counts), gamma (costs above 0) and tweedie "
        "(costs of which many are 0) predict the mean, as a product of effects.",
    )
    quantile: QuantileLevel | None = Field(
        default=None, description="With loss: quantile, the predicted quantile: 0.9 is exceeded by one row in ten."
    )
    metric: StrictStr = Field(
        default_factory=lambda known: default_metric(
            known["problem_type"], known["target"].order is not None, Loss(known["loss"], known["quantile"])
        ),
        description="The metric that the search optimises. The default depends on the problem type: roc_auc (binary), "
        "f1_weighted (multiclass), quadratic_weighted_kappa (multiclass with target.order) or the metric of the loss "
        "(regression: rmse, mae, mean_poisson_deviance, mean_pinball_loss_0.9, ...).",
    )
    search_space_changes: dict[str, dict[str, Any] | None] = Field(
        default_factory=dict,
        alias="search_space",
        description="Changes to the algorithm's search space, by parameter. Without a type, only the given keys "
        "change; with a type, the parameter is redefined; null removes it from the search.",
    )
    imbalance: Choice = Field(
        default="none",
        description="How fits handle imbalanced classes, on the train rows only: class weights, resampling, or the "
        "strategy that is recommended for these rows.",
    )
    fixed: dict[str, ParameterValue] = Field(default_factory=dict, description="Parameters that are not searched.")
    hpo: Hpo = Hpo()
    early_stopping: EarlyStopping = EarlyStopping()
    final_model: Literal["auto", "refit", "folds", "train_only"] = Field(
        default="auto",
        description="What the final model learns from: refit, the train and validation rows, with the parameters and "
        "boosting rounds of the best trial; folds, the same rows, as the mean of a model for each of hpo.folds, which "
        "stops on the rows that it has not seen; train_only, the train rows, which is the model of that trial. Auto: "
        "train_only with hpo.constraints, because they were measured on that model; else folds for boosted trees of up "
        "to 10,000 train and validation rows; else refit (docs/evaluation.md).",
    )
    warm_start: WarmStart = WarmStart()
    watch: Watch = Watch()
    predict: Predict | None = Field(
        default=None, description="New rows that the model in use scores (docs/how-to/predict.md). Null: none."
    )
    segments: ColumnList = Field(
        default=(),
        description="Columns whose values define segments: the model is also evaluated on each of them. A column under "
        "columns.drop may be named too.",
    )
    success_criteria: dict[str, Any] = Field(
        default_factory=dict,
        description="Thresholds for metrics on the test rows, such as roc_auc: 0.7 or maximum_rmse: 4.",
    )
    costs: Costs | None = Field(
        default=None,
        description="Binary classification only: what the two errors cost. The report then states the expected cost of "
        "the model's decisions; they choose no threshold. Null: not known.",
    )
    tags: dict[Tag, Tag] = Field(default_factory=dict, description="Tags for users; they do not change the result.")

    @property
    def target_name(self) -> str:
        """The name of the target column of the dataset."""
        return self.target.name or self.target.column

    @property
    def contenders(self) -> tuple[str, ...]:
        """The algorithms that the experiment compares, the simplest first; one, if it compares none."""
        if isinstance(self.chosen_algorithms, tuple):
            return registry.by_complexity(self.chosen_algorithms)
        if self.chosen_algorithms != AUTO:
            return (self.chosen_algorithms,)
        return registry.compared_by_auto(self.problem_type, bool(self.columns.monotone), self.loss)

    @property
    def algorithm(self) -> str:
        """The algorithm.

        Raises:
            E2iError: The experiment compares several: each has an experiment of its own, see `of`.
        """
        if len(self.contenders) > 1:
            raise E2iError(f"experiment {self.name} compares {self.algorithm_text}: its search chooses the algorithm")
        return self.contenders[0]

    @property
    def algorithm_text(self) -> str:
        """The algorithms as text."""
        return ", ".join(self.contenders)

    def of(self, algorithm: str) -> "Experiment":
        """Return the experiment with one of its algorithms; it equals that of a file that names this one alone.

        Raises:
            E2iError: The experiment does not name this algorithm.
        """
        if algorithm not in self.contenders:
            raise E2iError(
                f"experiment {self.name} does not name {algorithm}, of which its stored search is: it names "
                f"{self.algorithm_text}; materialise hpo_study again"
            )
        return self.model_copy(update={"chosen_algorithms": algorithm})

    @property
    def is_searched(self) -> bool:
        """Whether a search has something to tune."""
        return self.hpo.enabled and any(self.of(one).search_space() for one in self.contenders)

    @property
    def spec_hash(self) -> str:
        """The hash of everything in the file that can change a result: not its description, owner, tags or gates."""
        left_out: dict[str, Any] = {
            **dict.fromkeys([*_FOR_PEOPLE, *_GATES], True),
            **_FOR_WATCHING,
            **_FOR_COMPUTING,
        }
        return content_hash(self.model_dump(mode="json", exclude=left_out))

    @property
    def run_hash(self) -> str:
        """The hash of everything in the file that a run uses: with the gates, without description, owner and tags."""
        left_out: dict[str, Any] = {**dict.fromkeys(_FOR_PEOPLE, True), **_FOR_WATCHING, **_FOR_COMPUTING}
        return content_hash(self.model_dump(mode="json", exclude=left_out))

    @property
    def used_loss(self) -> Loss:
        """The loss that fits minimise."""
        return Loss(self.loss, self.quantile)

    @property
    def loss_metrics(self) -> tuple[str, ...]:
        """The deviances and pinball losses that are reported: those of the loss and of the goals of the search."""
        named = [self.metric, self.used_loss.metric, *(one.name for one in self.hpo.objectives), *self.hpo.constraints]
        return loss_metrics(named)

    @property
    def fitted_algorithm(self) -> Algorithm:
        """The algorithm as this experiment fits it: by its loss, and monotone in the columns that it names."""
        signs = {"increasing": 1, "decreasing": -1}
        directions = {column: signs[way] for column, way in self.columns.monotone.items()}
        return registry.algorithm(self.algorithm).with_goal(self.used_loss, directions)

    @property
    def stops_rounds(self) -> bool:
        """Whether early stopping determines the boosting rounds, which the search then does not draw."""
        algorithm = registry.algorithm(self.algorithm)
        if algorithm.rounds_cap is None or not self.early_stopping.enabled:
            return False
        if self.hpo.rounds is None:
            return self.search_space_changes.get(str(algorithm.rounds_parameter)) is None
        return self.hpo.rounds == "stopped"

    def search_space(self) -> SearchSpace:
        """Return the search space of the study: the algorithm's space with the changes of this experiment."""
        algorithm = self._searched_algorithm()
        return parse_space(settled_space(algorithm, self.problem_type, self._changes(), self.fixed))

    def default_parameters(self) -> dict[str, Any]:
        """Return the default parameters of the algorithm; the rounds are capped if early stopping determines them.

        A parameter that can never be drawn has the ``otherwise`` value of its definition.
        """
        algorithm = self._searched_algorithm()
        cap = {str(algorithm.rounds_parameter): algorithm.rounds_cap} if self.stops_rounds else {}
        undrawn = undrawn_values(algorithm, self.problem_type, self._changes(), self.fixed)
        known = {**algorithm.default_values, **cap, **undrawn}
        return {**known, **algorithm.completing({**known, **self.fixed_parameters()})}

    def _searched_algorithm(self) -> Algorithm:
        """Return the algorithm with the search space of the preset."""
        return registry.algorithm(self.algorithm).with_preset(self.hpo.preset)

    def _changes(self) -> dict[str, dict[str, Any] | None]:
        """Return the changes to the search space, including those that other options imply."""
        rounds = {str(registry.algorithm(self.algorithm).rounds_parameter): None} if self.stops_rounds else {}
        return {**self.search_space_changes, **rounds}

    def fixed_parameters(self) -> dict[str, Any]:
        """Return the parameters that are never searched: those the algorithm fixes, overridden by this experiment's."""
        return {**registry.algorithm(self.algorithm).fixed_values, **self.fixed}
