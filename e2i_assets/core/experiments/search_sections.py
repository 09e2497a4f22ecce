"""The sections of an experiment file that configure the search, each validated on its own; see `sections`."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, StrictBool, StrictInt, model_validator

from e2i_assets.core.algorithms.algorithm import Preset
from e2i_assets.core.experiments.section import Section
from e2i_assets.core.experiments.values import Column, Hours, NotNegative, Number, Seconds, Seed, Share, Text

# Where the trials of a study run: in threads of this process, in local processes, or on a Dask cluster.
Engine = Literal["threads", "processes", "dask"]
Sampler = Literal["tpe", "random", "cmaes", "qmc", "grid", "nsga2", "gp"]
# How a trial is scored: on the validation rows, or on folds of the train and validation rows.
UsedObjective = Literal["validation", "cross_validation"]
Pruner = Literal["median", "successive_halving", "hyperband", "percentile", "wilcoxon", "patient", "none"]


class FurtherObjective(Section):
    """A further objective besides the metric; the short form is its name."""

    name: Text = Field(description="Another metric, model_size, prediction_time or fairness_gap.")
    column: Column | None = Field(default=None, description="For fairness_gap: the feature whose groups are compared.")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, raw: object) -> object:
        return {"name": raw} if isinstance(raw, str) else raw


class Constraint(Section):
    """A limit that a trained model must keep; the short form is the limit."""

    limit: Number = Field(description="A minimum for metrics that are maximised, a maximum for everything else.")
    column: Column | None = Field(default=None, description="For fairness_gap: the feature whose groups are compared.")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, raw: object) -> object:
        return raw if isinstance(raw, Mapping | Constraint) else {"limit": raw}


class Hpo(Section):
    """The hyperparameter search."""

    later_keys: ClassVar[tuple[str, ...]] = ("preset",)

    enabled: StrictBool = Field(
        default=True, description="Whether to search; false trains with the default parameters."
    )
    trials: StrictInt = Field(default=100, ge=1, description="The number of trials of the study.")
    timeout_hours: Hours | None = Field(
        default=None, description="Time limit of the study in hours, such as 0.5. Null: no limit."
    )
    stop_without_improvement: StrictInt | None = Field(
        default=None, ge=1, description="Stop the study after this many trials without an improvement. Null: never."
    )
    trial_seconds: Seconds | None = Field(
        default=None, description="Time limit of one trial in seconds; a longer trial fails. Null: no limit."
    )
    trial_memory_mb: StrictInt | None = Field(
        default=None,
        ge=1,
        description="Memory limit of one trial in megabytes, including the libraries and the prepared rows; a trial "
        "whose process needs more fails. Null: no limit.",
    )
    max_failures: StrictInt = Field(
        default=10, ge=1, description="Stop the study after this many consecutive failed trials."
    )
    preset: Preset = Field(
        default="contract",
        description="The search space that search_space changes: contract, or for LightGBM, XGBoost and CatBoost "
        "wide, with fewer leaves, slower learning rates and stronger regularisation.",
    )
    sampler: Sampler = Field(default="tpe", description="How the next configuration is chosen.")
    pruner: Pruner | None = Field(
        default=None,
        description="How unpromising trials are stopped early. Null: median, or none with objectives, because pruning "
        "compares the intermediate values of a single objective.",
    )
    objective: UsedObjective | Literal["auto"] = Field(
        default="validation",
        description="How a trial is scored: on the validation rows, or, for small data, by cross-validation on the "
        "train and validation rows. Auto: by cross-validation if there are few rows, or few of a class.",
    )
    folds: StrictInt = Field(default=5, ge=2, description="The number of folds, of the trials and of a final model.")
    repeats: StrictInt = Field(
        default=1,
        ge=1,
        description="The number of repetitions, each with different folds.",
    )
    rounds: Literal["stopped", "searched"] | None = Field(
        default=None,
        description="For boosters: whether early stopping or the search determines the number of boosting rounds. "
        "Null: stopped, unless early stopping is disabled.",
    )
    objectives: tuple[FurtherObjective, ...] = Field(
        default=(), description="Further objectives besides the metric; the study then returns a Pareto front."
    )
    tolerance: NotNegative = Field(
        default=0.0,
        description="With objectives: how much worse than its best value the metric of the selected trial may be, in "
        "the unit of the metric.",
    )
    constraints: dict[Text, Constraint] = Field(
        default_factory=dict,
        description="Limits that a trained model must keep, such as model_size: 500000: a minimum for metrics that are "
        "maximised, a maximum for everything else. A fairness gap also needs a column: fairness_gap: {limit: 0.05, "
        "column: sex}.",
    )
    seed: Seed = 42
    workers: StrictInt | None = Field(
        default=None,
        ge=1,
        description="The number of trials that run in parallel. Null: the number of cores available to this process, "
        "or of threads in the cluster.",
    )
    engine: Engine = Field(
        default="threads",
        description="Where trials run: threads of one process, processes of this machine, or the workers of the Dask "
        "cluster at E2I_DASK_ADDRESS. It does not change the results, and changing it does not start a new study.",
    )

    @property
    def used_pruner(self) -> Pruner:
        """The pruner that the study uses: the chosen one, or the default."""
        return self.pruner or ("none" if self.objectives else "median")


class EarlyStopping(Section):
    """Early stopping: a booster stops adding rounds when the validation score no longer improves."""

    enabled: StrictBool = True
    patience: StrictInt = Field(default=10, ge=1, description="Stop after this many rounds without an improvement.")


class WarmStart(Section):
    """Warm start: the first trials of a study use the best configurations of similar studies."""

    enabled: StrictBool = True
    min_similarity: Share = Field(
        default=0.2, description="The minimum similarity of a pattern that is used; similarity is exp(-distance)."
    )
    max_configurations: StrictInt = Field(
        default=10,
        ge=1,
        description="The maximum number of configurations that are tried first. A study of up to 20 trials tries five, "
        "but never the last trial; a longer one a quarter of its trials.",
    )
