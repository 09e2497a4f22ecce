"""The file format of a pattern, one JSON document per line, and its validation."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from e2i_assets.adapters.repositories.pattern_rows import PatternRow, pattern_id
from e2i_assets.core.errors import SearchSpaceInvalid, Violation
from e2i_assets.core.metrics import ProblemType
from e2i_assets.core.search_space.dimensions import Choice
from e2i_assets.core.search_space.space import parse_space

FORMAT = 1
_LARGEST = 2**31 - 1

Count = Annotated[int, Field(ge=0, le=_LARGEST)]
Share = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, Field(min_length=1, max_length=255)]
# The database stores vectors in single precision.
Coordinate = Annotated[float, Field(ge=-1e30, le=1e30)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class EvaluatedConfiguration(_Strict):
    """A configuration and its value (higher is better), optionally with its origin."""

    model_config = ConfigDict(extra="allow")

    values: dict[str, Choice]
    value: float


class PatternDocument(_Strict):
    """One line of a pattern file. The use counts of a pattern are not exported."""

    format: Literal[1]
    pattern_id: Text
    spec_hash: Text
    data_hash: Text
    algorithm_name: Annotated[str, Field(min_length=1, max_length=100)]
    problem_type: ProblemType
    search_space: dict[str, Any]
    best_hyperparameters: Annotated[dict[str, Choice], Field(min_length=1)]
    top_configurations: list[EvaluatedConfiguration]
    best_value: float
    optimization_metric: Annotated[str, Field(min_length=1, max_length=50)]
    n_samples: Annotated[int, Field(gt=0, lt=2**63)] | None
    n_features: Annotated[int, Field(gt=0, le=_LARGEST)] | None
    n_trials: Count
    n_completed: Annotated[int, Field(gt=0, le=_LARGEST)]
    n_pruned: Count
    n_classes: Annotated[int, Field(ge=2, le=_LARGEST)] | None
    class_balance: Share | None
    feature_types: dict[str, Any] | None
    meta_features: dict[str, float]
    duration_seconds: Annotated[float, Field(ge=0)] | None
    study_name: Text | None
    source: Text
    trials: list[EvaluatedConfiguration]
    default_value: float | None
    meta_vector: Annotated[list[Coordinate], Field(min_length=16, max_length=16)] | None
    meta_version: Annotated[int, Field(gt=0, le=_LARGEST)] | None

    @model_validator(mode="after")
    def _agrees(self) -> "PatternDocument":
        if self.pattern_id != pattern_id(self.spec_hash):
            raise ValueError("pattern_id is not the id that follows from spec_hash")
        if self.n_completed + self.n_pruned > self.n_trials:
            raise ValueError("n_completed plus n_pruned exceeds n_trials")
        if (self.meta_vector is None) != (self.meta_version is None):
            raise ValueError("meta_vector and meta_version require each other")
        return self

    def row(self, source: str) -> PatternRow:
        """Return the row of the memory table, with its source."""
        given = self.model_dump(exclude={"format", "pattern_id"})
        return PatternRow(**given | {"source": source})


def line(pattern: Mapping[str, Any]) -> str:
    """Return the line of a pattern, from its id and the fields of its row.

    Raises:
        ValueError: A number is not finite.
    """
    return json.dumps({"format": FORMAT, **pattern}, allow_nan=False, separators=(",", ":"))


def parsed(text: str) -> PatternDocument | list[Violation]:
    """Return the pattern of a line, or all its errors."""
    try:
        raw = json.loads(text, parse_constant=_refused)
        # JSON parses a too large number as infinity without an error, and PostgreSQL text cannot contain a zero byte.
        if "\\u0000" in json.dumps(raw, allow_nan=False):
            return [Violation("text", "\\u0000", "is a character that PostgreSQL cannot store")]
        found = PatternDocument.model_validate(raw)
        parse_space(found.search_space)
    except ValidationError as error:
        return list(_violations(error))
    except SearchSpaceInvalid as error:
        return [Violation(f"search_space.{one.where}", one.value, one.rule) for one in error.violations]
    except (ValueError, RecursionError) as error:
        return [Violation("text", text[:60], f"is not a JSON document: {error}")]
    return found


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")


def _violations(error: ValidationError) -> Iterator[Violation]:
    for problem in error.errors(include_url=False, include_context=False):
        where = ".".join(str(part) for part in problem["loc"]) or "pattern"
        value = None if where == "pattern" or problem["type"] == "missing" else problem["input"]
        yield Violation(where, value, problem["msg"])
