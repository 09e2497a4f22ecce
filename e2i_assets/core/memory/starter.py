"""The shipped starter memory: studies of public tables with every metric of each trial, and a pattern for each metric.

It contains names, sizes and meta-features of tables, and configurations with their values. It contains no rows.
"""

import math
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict

from e2i_assets.core.memory.uses import distinct
from e2i_assets.core.metrics import METRICS, ProblemType
from e2i_assets.core.search_space.space import parse_space


class StarterTrial(BaseModel):
    """A configuration and the value of each metric on the validation rows, in its usual sign; null if undefined."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: dict[str, Any]
    measures: tuple[float | None, ...]


class StarterStudy(BaseModel):
    """The trials on one table with one algorithm; the first trial is that of the defaults.

    Attributes:
        table: Name of the table.
        source: Origin of the table.
        metrics: Names of the metrics, in the order of `StarterTrial.measures`.
        seconds: CPU time of all fits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    table: str
    source: str
    algorithm: str
    problem_type: ProblemType
    search_space: dict[str, Any]
    n_classes: int | None
    meta_features: dict[str, float]
    metrics: tuple[str, ...]
    trials: tuple[StarterTrial, ...]
    seconds: float


class StarterFile(BaseModel):
    """The file of the starter memory."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    studies: tuple[StarterStudy, ...]


class StarterPattern(BaseModel):
    """The pattern of a study for one metric; higher values are better."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    study: StarterStudy
    metric: str
    trials: tuple[dict[str, Any], ...]
    top: tuple[dict[str, Any], ...]
    default_value: float | None


def patterns(study: StarterStudy) -> Iterator[StarterPattern]:
    """Yield a pattern for each known metric that has a finite value in at least one trial."""
    space = parse_space(study.search_space)
    for place, name in enumerate(study.metrics):
        metric = METRICS[study.problem_type].get(name)
        if metric is None:
            continue
        trials: list[dict[str, Any]] = [
            {"values": trial.values, "value": metric.oriented(value)}
            for trial in study.trials
            if (value := trial.measures[place]) is not None and math.isfinite(value)
        ]
        if not trials:
            continue
        ranked = sorted(trials, key=lambda trial: float(trial["value"]), reverse=True)
        default = study.trials[0].measures[place]
        yield StarterPattern(
            study=study,
            metric=name,
            trials=tuple(trials),
            top=tuple(distinct(ranked, space)),
            default_value=None if default is None else metric.oriented(default),
        )
