"""The sections of an experiment file that say how to search, each valid in itself; see `sections`."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, StrictBool, StrictInt, model_validator

from e2i_assets.core.experiments.sections import Section
from e2i_assets.core.experiments.values import Column, Hours, NotNegative, Number, Seconds, Seed, Share, Text

# Where the trials of a study run: in this process, in others beside it, or in those of a Dask cluster.
Engine = Literal["threads", "processes", "dask"]
Sampler = Literal["tpe", "random", "cmaes", "qmc", "grid", "nsga2", "gp"]
Pruner = Literal["median", "successive_halving", "hyperband", "percentile", "wilcoxon", "patient", "none"]


class FurtherObjective(Section):
    """Something else that counts, besides the metric; in short just its name."""

    name: Text = Field(description="Another metric, model_size, prediction_time or fairness_gap.")
    column: Column | None = Field(default=None, description="For fairness_gap: the feature whose groups are compared.")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, raw: object) -> object:
        return {"name": raw} if isinstance(raw, str) else raw


class Constraint(Section):
    """What a trained model must keep to; in short just the limit."""

    limit: Number = Field(description="At least this for what should be high, at most this for everything else.")
    column: Column | None = Field(default=None, description="For fairness_gap: the feature whose groups are compared.")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, raw: object) -> object:
        return raw if isinstance(raw, Mapping | Constraint) else {"limit": raw}


class Hpo(Section):
    """The search."""

    enabled: StrictBool = Field(default=True, description="False trains the defaults.")
    trials: StrictInt = Field(default=100, ge=1, description="Budget of the study.")
    timeout_hours: Hours | None = Field(default=None, description="Null is no limit; fractions count.")
    stop_without_improvement: StrictInt | None = Field(
        default=None, ge=1, description="The study ends after so many trials without a better one; null: never."
    )
    trial_seconds: Seconds | None = Field(
        default=None, description="A trial that takes longer is ended and has failed; null: no limit. Fractions count."
    )
    trial_memory_mb: StrictInt | None = Field(
        default=None,
        ge=1,
        description="A trial whose process takes more megabytes, with the libraries and the prepared rows, is ended "
        "and has failed; null: no limit.",
    )
    max_failures: StrictInt = Field(
        default=10, ge=1, description="So many trials failing one after the other break the study off."
    )
    sampler: Sampler = Field(default="tpe", description="How the next configuration is chosen.")
    pruner: Pruner | None = Field(
        default=None,
        description="Which trials are ended early. Null: median, or none where there are objectives: a trial can only "
        "be compared with others on its way where one number says how good it is.",
    )
    objective: Literal["validation", "cross_validation"] = Field(
        default="validation",
        description="What a trial is judged on: the validation rows, or folds of train and validation for small data.",
    )
    folds: StrictInt = Field(default=5, ge=2, description="With cross_validation: folds of one repetition.")
    repeats: StrictInt = Field(default=1, ge=1, description="With cross_validation: repetitions with other folds.")
    rounds: Literal["stopped", "searched"] | None = Field(
        default=None,
        description="Boosters: early stopping decides the rounds, or the search does. Null: stopped, unless early "
        "stopping is off.",
    )
    objectives: tuple[FurtherObjective, ...] = Field(
        default=(), description="What is weighed against the metric: the study then keeps a Pareto front."
    )
    tolerance: NotNegative = Field(
        default=0.0,
        description="With objectives: how far below its best the metric may be, in its own unit, for their sake.",
    )
    constraints: dict[Text, Constraint] = Field(
        default_factory=dict,
        description="Limits that a trained model must keep, such as model_size: 500000; at least for what should "
        "be high, at most for everything else. A fairness gap has a column too: fairness_gap: {limit: 0.05, "
        "column: sex}.",
    )
    seed: Seed = 42
    workers: StrictInt | None = Field(
        default=None,
        ge=1,
        description="Trials at a time; null: as many as there are cores for this process, or threads in the cluster.",
    )
    engine: Engine = Field(
        default="threads",
        description="Where trials run: threads of one process, processes of this machine, or the workers of the Dask "
        "cluster at E2I_DASK_ADDRESS. It changes no value, and no study begins anew because of it.",
    )

    @property
    def used_pruner(self) -> Pruner:
        """The pruner that is used: the one that was chosen, or the default for such a search."""
        return self.pruner or ("none" if self.objectives else "median")


class EarlyStopping(Section):
    """Boosters stop adding rounds when validation no longer improves."""

    enabled: StrictBool = True
    patience: StrictInt = Field(default=10, ge=1, description="Rounds without improvement.")


class WarmStart(Section):
    """The best configurations of similar studies are tried first."""

    enabled: StrictBool = True
    min_similarity: Share = Field(
        default=0.2, description="Patterns less similar than this are not used; similarity is exp(-distance)."
    )
    max_configurations: StrictInt = Field(
        default=10, ge=1, description="At most this many are tried first, and no more than a quarter of the trials."
    )
