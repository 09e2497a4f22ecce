"""The reason why a search has no trial to train, in the terms of the output contract."""

from typing import Final

from pydantic import BaseModel, ConfigDict

from e2i_assets.core.contracts.contract import HpoErrorType
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.errors import MissingHpoData, UnsupportedAlgorithm
from e2i_assets.core.search.study_result import StudyResult

_ERROR_TYPES: Final[dict[str, HpoErrorType]] = {
    MissingHpoData.__name__: "missing_hpo_data",
    UnsupportedAlgorithm.__name__: "unsupported_algorithm",
}


class SearchFailure(BaseModel):
    """The reason why the defaults are trained: ``error`` and ``error_type`` of the output contract."""

    model_config = ConfigDict(frozen=True)

    error: str
    error_type: HpoErrorType


def failure_of(result: StudyResult) -> SearchFailure | None:
    """Return the failure because of which a study has no trial to train; None if failures are not the cause."""
    if result.best is not None or result.failure is None:
        return None
    last = result.last_failure
    return SearchFailure(error=result.failure, error_type=error_type(last.error_type if last else None))


def error_type(exception: str | None) -> HpoErrorType:
    """Return the error type of the contract for the type name of an exception."""
    return _ERROR_TYPES.get(exception or "", "hpo_error")


def require_rows(rows: SearchRows) -> None:
    """Check that a search has train rows and validation rows.

    Raises:
        MissingHpoData: There are no train rows or no validation rows.
    """
    for split, part in (("train", rows.train), ("validation", rows.validation)):
        if not len(part.target):
            raise MissingHpoData(f"there are no {split} rows: materialise validation_splits again")
