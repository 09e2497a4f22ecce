"""The sections of an experiment file, each validated on its own; the rules between sections are in `rules`."""

from typing import ClassVar, Literal

from pydantic import Field, StrictInt, model_validator

from e2i_assets.core.experiments.section import Section
from e2i_assets.core.experiments.source_section import Source
from e2i_assets.core.experiments.values import (
    Bins,
    Column,
    ColumnList,
    DateColumns,
    Labels,
    MissingWords,
    NotNegative,
    Order,
    Positive,
    Seed,
    Share,
    Text,
)


class Target(Section):
    """The target: a column, or classes cut from a numeric column; the short form is ``target: column``."""

    column: Column = Field(description="The column of the source.")
    name: Column | None = Field(default=None, description="With bins: the name of the new target column.")
    bins: Bins | None = Field(
        default=None,
        description="Upper edges of the classes, in ascending order: a value up to and including the first edge gets "
        "the first label.",
    )
    labels: Labels | None = Field(
        default=None, description="The labels of the classes, lowest values first: one more than there are bins."
    )
    order: Order | None = Field(
        default=None,
        description="Multiclass only: all labels of the column, from the lowest to the highest, if they have an order, "
        "such as grades. They are evaluated with metrics that know it.",
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, raw: object) -> object:
        return {"column": raw} if isinstance(raw, str) else raw

    @property
    def is_ordered(self) -> bool:
        """Whether the classes have an order: a declared one, or that of the bins. Two classes need none."""
        return self.order is not None or (self.labels is not None and len(self.labels) > 2)


class Columns(Section):
    """The columns with a special meaning; all other columns are features."""

    later_keys: ClassVar[tuple[str, ...]] = ("monotone",)

    group: Column | None = Field(
        default=None,
        description="The group column, such as a patient id: all rows with the same value are in the same split.",
    )
    time: Column | None = Field(
        default=None,
        description="The time column: all train rows are before the validation rows, and those before the test rows.",
    )
    weight: Column | None = Field(
        default=None,
        description="The sample weights: finite numbers, 0 or more. Fits, early stopping and all metrics use them; the "
        "column is never a feature.",
    )
    id: ColumnList = Field(
        default=(), description="Identifiers: never features; together they should be unique in each row."
    )
    drop: ColumnList = Field(
        default=(),
        description="Columns that must not be features, above all values that are not known at prediction time.",
    )
    categorical: ColumnList = Field(default=(), description="Columns whose numbers are codes of categories.")
    numeric: ColumnList = Field(
        default=(),
        description="Columns whose whole numbers are measurements although they look like identifiers or dates.",
    )
    dates: DateColumns = Field(
        default_factory=dict,
        description="Columns that are dates, as a list, or as a mapping to the form of ambiguous text, such as visit: "
        "'%d/%m/%Y'. ISO dates need no entry. Numbers are read as yyyymmdd, or as seconds to nanoseconds since 1970. A "
        "time column that is listed here is also a feature.",
    )
    missing: dict[Column, MissingWords] = Field(
        default_factory=dict,
        description="Words or numbers that mean a missing value, by column, such as hp: ['?', -999]. An empty list: "
        "all words of the column are values.",
    )
    decimal: dict[Column, Literal[".", ","]] = Field(
        default_factory=dict, description="The decimal separator of a column that contains numbers as text."
    )
    monotone: dict[Column, Literal["increasing", "decreasing"]] = Field(
        default_factory=dict,
        description="Columns of numbers with which the prediction may only rise or only fall, all else equal, such as "
        "visits: increasing. With two classes this is the probability of the positive one.",
    )

    @property
    def named(self) -> dict[str, set[str]]:
        """The columns that each key names, of those keys that say what a column is."""
        lists = {key: {*getattr(self, key)} for key in ("id", "drop", "categorical", "numeric", "dates")}
        single = {"group": self.group, "time": self.time, "weight": self.weight}
        return lists | {key: {column} if column else set() for key, column in single.items()}


class Split(Section):
    """How the rows are split; the shares 60/20/15/5 are part of the contract and cannot be changed."""

    seed: Seed = Field(
        default=42, description="The seed of the split: another seed makes a new split, the same seed moves no row."
    )
    gap: StrictInt = Field(
        default=0,
        ge=0,
        description="With a time column: the gap between two splits, in days, or in the unit of a numeric time column. "
        "Rows in the gap are in no split.",
    )
    column: Column | None = Field(
        default=None,
        description="A column that contains the split of each row: train, validation, test or holdout. Never a "
        "feature.",
    )


class Leakage(Section):
    """The limits of the leakage checks, and the accepted exceptions."""

    maximum_auc: Share = Field(
        default=0.99,
        description="Classification: a feature that reaches this ROC AUC alone on the validation rows is refused.",
    )
    maximum_r2: Share = Field(
        default=0.98, description="Regression: a feature that reaches this R² alone on the validation rows is refused."
    )
    accepted: dict[Column, Text] = Field(
        default_factory=dict,
        description="Features that may exceed these limits, each with the reason, such as last_visits: the count of "
        "the previous year.",
    )
    accepted_copies: Text | None = Field(
        default=None,
        description="The reason why two splits may contain equal rows, such as different patients with equal values.",
    )


class Costs(Section):
    """What the errors of a binary model cost, as the difference to the right decision. It changes no model."""

    missed: Positive = Field(description="The cost of a positive row that the model does not flag.")
    false_alarm: Positive = Field(description="The cost of a row that the model flags although it is not positive.")
    unit: Text | None = Field(default=None, description="The unit of both, such as EUR.")


class Watch(Section):
    """Monitoring of the model in use, and when it is tuned again. It does not change the result of a run."""

    recent: Source | None = Field(
        default=None,
        description="Newer rows with the same columns as the source, which are compared with the train rows to detect "
        "drift. The target may be missing. Null: no drift detection.",
    )
    largest_psi: NotNegative = Field(
        default=0.2,
        description="A feature has drifted if its population stability index is above this limit by more than chance "
        "explains.",
    )
    cool_down_days: NotNegative = Field(
        default=7.0, description="The minimum number of days between two re-tunes that drift triggers."
    )
    retune_after_days: NotNegative = Field(
        default=30.0,
        description="The weekly schedule, if it is on, tunes a model again after this number of days.",
    )
