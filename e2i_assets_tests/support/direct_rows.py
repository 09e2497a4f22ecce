"""Rows that a test writes directly into our tables, without a search or an import."""

from collections.abc import Iterable

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.pattern_rows import PatternRow
from e2i_assets.adapters.repositories.pattern_writes import add_patterns
from e2i_assets.adapters.repositories.studies import RECORD, trial_parameters
from e2i_assets.adapters.repositories.study_rows import TrialRow


def record_trials(database: Database, study_id: str, trials: Iterable[TrialRow]) -> None:
    """Insert or update trials of a study with the statement of the study storage, in one transaction."""
    if rows := [trial_parameters(study_id, trial) for trial in trials]:
        with database.begin() as connection:
            connection.execute(sa.text(RECORD), rows)


def add_all(database: Database, patterns: Iterable[PatternRow]) -> int:
    """Add the patterns that are not stored yet in one transaction, and return the number of added patterns."""
    with database.begin() as connection:
        return add_patterns(connection, patterns)
