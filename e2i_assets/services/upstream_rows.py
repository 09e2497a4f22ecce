"""Rows that another Dagster asset has materialized, for an experiment of a component."""

from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd

from e2i_assets.adapters.sources import datasets
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.source_section import CsvFile, Source
from e2i_assets.services.project import Project


@dataclass(frozen=True, slots=True)
class Upstream:
    """A materialization of an upstream asset.

    Attributes:
        asset: Its key, such as ``marts/churn``.
        run_id: The Dagster run that made it; None if it was reported without a run.
        uri: Where its rows are; None if the experiment has a query of its own.
        materialized_at: ISO 8601, in UTC.
        component: The file of the component. An experiment whose component is gone is retired.
    """

    asset: str
    run_id: str | None
    uri: str | None
    materialized_at: str
    component: str


def read_upstream(project: Project, experiment: Experiment, upstream: Upstream) -> pd.DataFrame:
    """Register the experiment with its upstream, and read the rows.

    Raises:
        DataInvalid: The file is missing, is not allowed (E2I_SOURCE_FOLDERS) or is not valid, or there are no rows.
        E2iError: The URI is no local CSV or Parquet file, or the database rejects the query.
    """
    settings = project.settings
    source = experiment.source if upstream.uri is None else source_at(upstream.uri, upstream.asset)
    project.experiments.register(
        experiment.name,
        experiment.model_dump(mode="json"),
        experiment.description,
        experiment.target_name,
        experiment.owner,
        upstream=asdict(upstream),
    )
    return datasets.load(source, settings.root, settings.environment)


def source_at(uri: str, asset: str) -> Source:
    """Return the source of a URI: a Parquet file or folder, or a CSV file, on this machine.

    Raises:
        E2iError: It is another kind of URI.
    """
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
        raise E2iError(
            f"the rows of {asset} are at {uri}: only files of this machine are read (file:///... or a path). Read them "
            "with rows.sql, or write a local copy upstream"
        )
    path = Path(unquote(parts.path))
    # Not validated as a path of an experiment file, which must be in the project: reading checks the allowed folders.
    if any(one.lower() == ".csv" for one in path.suffixes[-2:]):
        return Source.model_construct(csv=CsvFile.model_construct(path=str(path)))
    if path.suffix.lower() in (".parquet", ".pq", ""):
        return Source.model_construct(parquet=str(path))
    raise E2iError(f"the rows of {asset} are at {uri}: the file must be .parquet or .csv, or a folder of Parquet files")
