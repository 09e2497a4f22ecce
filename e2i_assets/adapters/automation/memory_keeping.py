"""Forgetting what the memory offers to forget: the SQL function `forgettable_hpo_patterns` says what that is."""

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database

_FORGET = sa.text(
    "SELECT reason, count(*) FROM forget_hpo_patterns(p_dry_run => false) GROUP BY reason ORDER BY reason"
)


def forget(database: Database) -> dict[str, int]:
    """Forget old patterns that nobody started from, and doubles of better ones; return how many for which reason."""
    with database.begin() as connection:
        return {str(reason): int(count) for reason, count in connection.execute(_FORGET)}
