"""The starter memory as it ships: studies of public tables with every metric of each trial, a pattern for each metric.

No row of anybody's data is in it: names, sizes and meta-features of tables, configurations, and what they came to.
"""

import math
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict

from e2i_assets.core.memory.uses import differing
from e2i_assets.core.metrics import METRICS, ProblemType
from e2i_assets.core.search_space.space import parse_space


class StarterTrial(BaseModel):
    """A configuration with the natural value of each metric on the validation rows; null where it is no number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: dict[str, Any]
    measures: tuple[float | None, ...]


class StarterStudy(BaseModel):
    """What was tried on one table with one algorithm; the first trial is that of the defaults.

    Attributes:
        table: Its name.
        source: Where it comes from.
        metrics: Names of what the trials measure, in their order.
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
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    studies: tuple[StarterStudy, ...]


class StarterPattern(BaseModel):
    """What a study says by one metric, all values higher is better."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    study: StarterStudy
    metric: str
    trials: tuple[dict[str, Any], ...]
    top: tuple[dict[str, Any], ...]
    default_value: float | None


def patterns(study: StarterStudy) -> Iterator[StarterPattern]:
    """Return a pattern for each metric that the product knows and that was a number in some trial."""
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
            top=tuple(differing(ranked, space)),
            default_value=None if default is None else metric.oriented(default),
        )
