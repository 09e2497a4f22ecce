"""The section `predict` of an experiment file: new rows, and where their predictions go."""

from pydantic import Field, StrictBool

from e2i_assets.core.experiments.section import Section
from e2i_assets.core.experiments.source_section import Source
from e2i_assets.core.experiments.values import EnvironmentVariable, ParquetPath, TableName


class PredictionTable(Section):
    """A table of a PostgreSQL database; its URL, which contains the password, is not in the file."""

    name: TableName = Field(
        description="The table, such as scores.churn; it is created if it does not exist, with columns.id as its key."
    )
    url_env: EnvironmentVariable = Field(description="The environment variable that contains the URL of the database.")


class Predict(Section):
    """New rows that the model in use scores. It does not change the result of a run."""

    source: Source = Field(
        description="The source of the new rows, with the columns of the model; the target is not needed."
    )
    to: ParquetPath | None = Field(
        default=None,
        description="The Parquet file of predictions, relative to the project folder. Either this key or table.",
    )
    table: PredictionTable | None = Field(
        default=None, description="The table of predictions: a row for each value of columns.id, the latest one."
    )
    explain: StrictBool = Field(
        default=False,
        description="Whether each prediction has its reasons: the columns that contributed most. Not for forests, "
        "GradientBoosting and HistGradientBoosting.",
    )
