"""The section `source` of an experiment file: where the rows come from."""

from typing import Any, Literal, get_args

from pydantic import ConfigDict, Field, StrictInt, model_serializer, model_validator

from e2i_assets.core.experiments.section import Section
from e2i_assets.core.experiments.values import (
    Delimiter,
    Encoding,
    EnvironmentVariable,
    MissingWords,
    ProjectPath,
    Text,
)

SourceKind = Literal["sample", "csv", "parquet", "sql"]
SOURCE_KINDS: tuple[SourceKind, ...] = get_args(SourceKind)


class SqlQuery(Section):
    """Rows from a PostgreSQL database; its URL, which contains the password, is not in the file."""

    query: Text = Field(
        description="One read-only SELECT. End it with ORDER BY, because the order of the rows matters."
    )
    url_env: EnvironmentVariable = Field(
        default="E2I_SOURCE_URL", description="The environment variable that contains the URL of the database."
    )
    watermark: Text | None = Field(
        default=None,
        description="One SELECT that returns one row, which changes whenever the data changes, such as SELECT "
        "max(changed_at), count(*) FROM visits. It detects new data without reading the rows. Null: the server hashes "
        "all rows.",
    )


class CsvFile(Section):
    """A CSV file; keys besides the path are detected from the file if unambiguous. The short form is ``csv: path``."""

    path: ProjectPath = Field(
        description="The file, relative to the project folder; it may be compressed (gz, bz2, xz, zst, zip)."
    )
    delimiter: Delimiter | None = Field(default=None, description="The character between two cells, such as ';'.")
    decimal: Literal[".", ","] | None = Field(default=None, description="The decimal separator of all numbers.")
    thousands: Literal[",", ".", " ", "'", "_"] | None = Field(
        default=None, description="The thousands separator of all numbers."
    )
    encoding: Encoding | None = Field(
        default=None,
        description="The encoding of the file, such as cp1252. Null: the encoding of its byte order mark, or UTF-8.",
    )
    skip_rows: StrictInt | None = Field(
        default=None, ge=0, description="The number of lines to skip before the header, such as a title."
    )
    quote: Literal['"', "'", "none"] | None = Field(
        default=None, description="The quotation mark around cells that contain the delimiter; none: no quotation mark."
    )
    missing: MissingWords | None = Field(
        default=None,
        description="Cells that mean a missing value in all columns, instead of the default list (docs/data.md). An "
        "empty cell is always a missing value.",
    )
    last_rows: Literal["keep"] | None = Field(
        default=None,
        description="keep: the last rows are rows of the data, although they look like totals or remarks, which are "
        "refused.",
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, raw: object) -> object:
        return {"path": raw} if isinstance(raw, str) else raw

    @model_serializer
    def _shortest_form(self) -> str | dict[str, Any]:
        """Serialise a file without options as its path, so that both forms have the same hash."""
        options = self.options
        return {"path": self.path, **options} if options else self.path

    @property
    def options(self) -> dict[str, Any]:
        """The given keys, without the path."""
        given = {name: getattr(self, name) for name in type(self).model_fields if name != "path"}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in given.items()
            if value is not None
        }


class Source(Section):
    """The source of the rows: exactly one of the four kinds."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    sample: Literal["rand_hie"] | None = Field(
        default=None, description="A real data set that is installed with this package."
    )
    csv: CsvFile | None = Field(
        default=None, description="A CSV file, relative to the project folder, or a mapping of its path and options."
    )
    parquet: ProjectPath | None = Field(
        default=None,
        description="A Parquet file or a (partitioned) folder of Parquet files, relative to the project folder.",
    )
    sql: SqlQuery | None = Field(default=None, description="A query on a PostgreSQL database.")

    @property
    def kind(self) -> SourceKind:
        """The kind of the source."""
        return next(kind for kind in SOURCE_KINDS if getattr(self, kind) is not None)

    @property
    def has_types(self) -> bool:
        """Whether the source has types and missing values of its own, so that a word such as NA is a value."""
        return self.kind in ("parquet", "sql")

    @property
    def place(self) -> str:
        """The path, the query or the name of the sample."""
        if self.sql is not None:
            return self.sql.query
        return self.csv.path if self.csv is not None else str(self.parquet or self.sample)
