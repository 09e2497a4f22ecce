"""The sections of an experiment file, each valid in itself; what must hold between them is in `rules`."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, model_serializer, model_validator

from e2i_assets.core.experiments.values import (
    Bins,
    Column,
    ColumnList,
    Delimiter,
    Encoding,
    EnvironmentVariable,
    Labels,
    MissingWords,
    NotNegative,
    ProjectPath,
    Seed,
    Share,
    Text,
)

SourceKind = Literal["sample", "csv", "parquet", "sql"]


class Section(BaseModel):
    """A part of an experiment file: unknown keys are mistakes, and nothing changes after reading."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SqlQuery(Section):
    """Rows from a PostgreSQL database; its address, with the password, stays out of the file."""

    query: Text = Field(description="One SELECT, read-only. End it with ORDER BY: the order of rows counts.")
    url_env: EnvironmentVariable = Field(
        default="E2I_SOURCE_URL", description="Environment variable that holds the address."
    )
    watermark: Text | None = Field(
        default=None,
        description="One SELECT of one row that is another when the rows are, such as SELECT max(changed_at), count(*) "
        "FROM visits: asked instead of the rows to notice new data. Null: the server hashes all rows.",
    )


class CsvFile(Section):
    """A CSV file; each key besides the path is found in the file where that is certain. In short ``csv: path``."""

    path: ProjectPath = Field(
        description="The file, relative to the project folder; it may be compressed (gz, bz2, xz, zst, zip)."
    )
    delimiter: Delimiter | None = Field(default=None, description="The character between two cells, such as ';'.")
    decimal: Literal[".", ","] | None = Field(default=None, description="The decimal sign of all numbers.")
    thousands: Literal[",", ".", " ", "'", "_"] | None = Field(
        default=None, description="The sign between groups of three digits."
    )
    encoding: Encoding | None = Field(
        default=None, description="The encoding of the file, such as cp1252. Null: UTF-8, or what its first bytes say."
    )
    skip_rows: StrictInt | None = Field(
        default=None, ge=0, description="Lines above the header, such as a title, that are not part of the table."
    )
    quote: Literal['"', "'", "none"] | None = Field(
        default=None, description="The character around a cell that holds the delimiter; none: there is no such one."
    )
    missing: MissingWords | None = Field(
        default=None,
        description="Cells that mean a missing value, in all columns, instead of the default list (docs/data.md); an "
        "empty cell always does.",
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, raw: object) -> object:
        return {"path": raw} if isinstance(raw, str) else raw

    @model_serializer
    def _shortest_form(self) -> str | dict[str, Any]:
        """Write a file without options as its path: the identity of an experiment does not change with the form."""
        options = self.options
        return {"path": self.path, **options} if options else self.path

    @property
    def options(self) -> dict[str, Any]:
        """The keys that are given, besides the path."""
        given = {name: getattr(self, name) for name in type(self).model_fields if name != "path"}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in given.items()
            if value is not None
        }


class Source(Section):
    """Where the rows come from: exactly one of the four."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    sample: Literal["rand_hie"] | None = Field(
        default=None, description="Real data that is installed with this package."
    )
    csv: CsvFile | None = Field(
        default=None, description="A CSV file, relative to the project folder, or the file with how it is to be read."
    )
    parquet: ProjectPath | None = Field(
        default=None,
        description="A Parquet file, or a folder of them (partitioned), relative to the project folder.",
    )
    sql: SqlQuery | None = Field(default=None, description="A query on a PostgreSQL database.")

    @property
    def kind(self) -> SourceKind:
        """Which of the four it is."""
        kinds: tuple[SourceKind, ...] = ("sample", "csv", "parquet", "sql")
        return next(kind for kind in kinds if getattr(self, kind) is not None)

    @property
    def place(self) -> str:
        """The path, query or sample that it names."""
        if self.sql is not None:
            return self.sql.query
        return self.csv.path if self.csv is not None else str(self.parquet or self.sample)


class Target(Section):
    """What is predicted: a column, or classes cut out of a numeric column; in short ``target: column``."""

    column: Column = Field(description="The column of the source.")
    name: Column | None = Field(default=None, description="With bins: the name of the new target column.")
    bins: Bins | None = Field(
        default=None, description="Upper edges: a value up to and including the first gets label one."
    )
    labels: Labels | None = Field(
        default=None, description="One label more than there are bins, the lowest values first."
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, raw: object) -> object:
        return {"column": raw} if isinstance(raw, str) else raw


class Columns(Section):
    """What the columns of the table are, other than features."""

    group: Column | None = Field(
        default=None, description="Rows with one value here never get into two roles (a person)."
    )
    time: Column | None = Field(default=None, description="Train is before validation, validation before test.")
    id: ColumnList = Field(default=(), description="Identifiers: never features; together they should be unique.")
    drop: ColumnList = Field(
        default=(), description="Columns that must not be features, above all what is known too late."
    )
    categorical: ColumnList = Field(default=(), description="Numeric codes that mean categories.")
    missing: dict[Column, MissingWords] = Field(
        default_factory=dict,
        description="Cells of a column that mean a missing value, words or numbers, such as hp: ['?', -999]; an empty "
        "list: all words of the column are values.",
    )
    decimal: dict[Column, Literal[".", ","]] = Field(
        default_factory=dict, description="The decimal sign of a column that holds numbers as text."
    )


class Split(Section):
    """How rows are placed: 60/20/15/5 is the contract, so only who goes where is free."""

    seed: Seed = Field(default=42, description="Another seed begins a new split; the same one moves no row.")
    gap: StrictInt = Field(
        default=0,
        ge=0,
        description="With a time column: what lies between two roles, in days, or in its unit where it holds numbers; "
        "rows in the gap have no role.",
    )
    column: Column | None = Field(
        default=None,
        description="A column that says the role of each row: train, validation, test or holdout. Never a feature.",
    )


class Leakage(Section):
    """When a feature counts as one that gives the target away, and what is known to be none."""

    maximum_auc: Share = Field(
        default=0.99, description="A feature that alone reaches this ROC AUC on the validation rows is refused."
    )
    maximum_r2: Share = Field(default=0.98, description="The same for a regression.")
    accepted: dict[Column, Text] = Field(
        default_factory=dict,
        description="Features that may know so much, each with the reason, such as "
        "last_visits: what was counted the year before.",
    )
    accepted_copies: Text | None = Field(
        default=None, description="Why rows may be alike in two roles: what is it that looks alike and is not the same?"
    )


class Watch(Section):
    """What is looked at while the model is in use, and when it is tuned again. None of it changes what a run makes."""

    recent: Source | None = Field(
        default=None,
        description="Rows that came later, with the same columns as the source: where drift is looked for. The target "
        "may be missing in them, or come later. Null: nothing is looked for.",
    )
    largest_psi: NotNegative = Field(
        default=0.2, description="A feature whose population stability index is above this, and surely so, has drifted."
    )
    cool_down_days: NotNegative = Field(
        default=7.0, description="So long after a re-tune for drift no other one is asked for."
    )
    retune_after_days: NotNegative = Field(
        default=30.0, description="A model older than this is tuned again by the weekly schedule, where that is on."
    )
