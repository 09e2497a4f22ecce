"""The pattern memory as a whole: its contents, their usefulness, and the removal of old patterns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.row_mapping import columns, every


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternSummary:
    """A pattern without its configurations.

    Attributes:
        best_value: In the orientation that the study maximised.
        trials_kept: The number of evaluated configurations in the pattern.
    """

    pattern_id: str
    algorithm_name: str
    problem_type: str
    optimization_metric: str
    n_samples: int | None
    n_features: int | None
    best_value: float
    trials_kept: int
    trust: float
    times_used_as_warmstart: int
    warmstart_improvement_avg: float | None
    study_name: str | None
    source: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KindStatistics:
    """Statistics of the patterns that are comparable with each other.

    Attributes:
        mean_best_value: In the orientation that the studies maximised.
        uses: Trials of later studies that tried a configuration of these patterns.
        helped: Uses that were better than the algorithm's defaults in the same study.
        measured: Uses whose improvement is known.
        mean_improvement: Mean over the measured uses.
    """

    algorithm_name: str
    problem_type: str
    optimization_metric: str
    patterns: int
    starter: int
    mean_best_value: float
    uses: int
    helped: int
    measured: int
    mean_improvement: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Statistics of the whole memory.

    Attributes:
        by_vector: Whether the index over the meta-feature vectors exists.
        forgotten: Patterns that were removed by a command.
        studies_helped: Studies that tried at least one pattern.
    """

    patterns: int
    starter: int
    forgotten: int
    uses: int
    studies_helped: int
    by_vector: bool
    kinds: Sequence[KindStatistics]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternUse:
    """A trial of a later study that tried a configuration of a pattern; values as the study maximised them.

    Attributes:
        improvement: Difference to the algorithm's defaults in the same study.
        best_value: Value of the best trial of the study.
        rank: Rank among the `n_ranked` completed trials, 1 is the best.
    """

    study_name: str
    trial_number: int
    similarity: float
    improvement: float | None
    value: float | None
    default_value: float | None
    best_value: float | None
    rank: int | None
    n_ranked: int | None
    used_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten(PatternSummary):
    """A removed pattern (or, in a dry run, a pattern to be removed) and the reason."""

    reason: str


_KEPT = columns(PatternSummary, "pattern").replace(
    "pattern.trials_kept", "jsonb_array_length(pattern.trials) AS trials_kept"
)
_LIST = sa.text(f"""
    SELECT {_KEPT} FROM ml_hpo_patterns AS pattern
    WHERE pattern.algorithm_name = coalesce(:algorithm, pattern.algorithm_name)
      AND pattern.problem_type = coalesce(:problem_type, pattern.problem_type)
      AND pattern.source = coalesce(:source, pattern.source)
    ORDER BY pattern.source = 'starter', pattern.created_at DESC, pattern.pattern_id
    LIMIT :limit
""")
_IDS = sa.text("""
    SELECT CAST(pattern_id AS text) FROM ml_hpo_patterns
    WHERE starts_with(CAST(pattern_id AS text), lower(:beginning)) ORDER BY pattern_id LIMIT :limit
""")
_USES = sa.text(f"""
    SELECT {columns(PatternUse, "usage").replace("usage.study_name", "study.study_name")}
    FROM ml_hpo_warmstart_uses AS usage JOIN ml_hpo_studies AS study ON study.id = usage.study_id
    WHERE usage.pattern_id = :pattern_id ORDER BY usage.used_at, usage.trial_number
""")
_OF_EXPERIMENT = sa.text("""
    SELECT CAST(pattern.pattern_id AS text)
    FROM ml_hpo_patterns AS pattern
    JOIN ml_hpo_studies AS study ON study.spec_hash = pattern.spec_hash
    JOIN ml_experiments AS experiment ON experiment.id = study.experiment_id
    WHERE experiment.experiment_name = :name
    ORDER BY pattern.updated_at DESC, pattern.pattern_id LIMIT 1
""")
_FORGOTTEN = sa.text("SELECT reason FROM ml_hpo_forgotten_patterns WHERE pattern_id = :pattern_id")
_TOTALS = sa.text("""
    SELECT count(*) AS patterns, count(*) FILTER (WHERE source = 'starter') AS starter,
           (SELECT count(*) FROM ml_hpo_forgotten_patterns) AS forgotten,
           (SELECT count(*) FROM ml_hpo_warmstart_uses) AS uses,
           (SELECT count(DISTINCT study_id) FROM ml_hpo_warmstart_uses) AS studies_helped,
           to_regclass('ml_hpo_patterns_by_vector') IS NOT NULL AS by_vector
    FROM ml_hpo_patterns
""")
_KINDS = sa.text("""
    WITH used AS (
        SELECT pattern_id, count(*) AS uses, count(improvement) AS measured, sum(improvement) AS improvement,
               count(*) FILTER (WHERE improvement > 0) AS helped
        FROM ml_hpo_warmstart_uses GROUP BY pattern_id
    )
    SELECT pattern.algorithm_name, pattern.problem_type, pattern.optimization_metric, count(*) AS patterns,
           count(*) FILTER (WHERE pattern.source = 'starter') AS starter, avg(pattern.best_value) AS mean_best_value,
           CAST(coalesce(sum(used.uses), 0) AS bigint) AS uses,
           CAST(coalesce(sum(used.helped), 0) AS bigint) AS helped,
           CAST(coalesce(sum(used.measured), 0) AS bigint) AS measured,
           sum(used.improvement) / nullif(CAST(sum(used.measured) AS double precision), 0) AS mean_improvement
    FROM ml_hpo_patterns AS pattern LEFT JOIN used USING (pattern_id)
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
""")
_FORGETTABLE = sa.text(f"""
    SELECT {_KEPT}, found.reason
    FROM forgettable_hpo_patterns(:older_than_days, :max_uses) AS found
    JOIN ml_hpo_patterns AS pattern USING (pattern_id)
    ORDER BY pattern.created_at, pattern.pattern_id
""")
_FORGET = sa.text("SELECT CAST(pattern_id AS text) FROM forget_hpo_patterns(:older_than_days, :max_uses, false)")


@dataclass(frozen=True, slots=True)
class PatternMaintenance:
    """Reads statistics of the memory and removes old patterns."""

    database: Database

    def summaries(
        self,
        *,
        algorithm: str | None = None,
        problem_type: str | None = None,
        source: str | None = None,
        limit: int | None = None,
    ) -> list[PatternSummary]:
        """Return patterns, newest first, with the starter memory last."""
        filters = {"algorithm": algorithm, "problem_type": problem_type, "source": source, "limit": limit}
        with self.database.connect() as connection:
            return every(PatternSummary, connection.execute(_LIST, filters))

    def ids(self, beginning: str, limit: int = 10) -> list[str]:
        """Return the pattern ids that start with a text, at most `limit`."""
        with self.database.connect() as connection:
            return list(connection.execute(_IDS, {"beginning": beginning, "limit": limit}).scalars())

    def uses(self, pattern_id: str) -> list[PatternUse]:
        """Return the uses of a pattern, oldest first."""
        with self.database.connect() as connection:
            return every(PatternUse, connection.execute(_USES, {"pattern_id": pattern_id}))

    def of_experiment(self, name: str) -> str | None:
        """Return the id of the last pattern that an experiment has added, or None."""
        with self.database.connect() as connection:
            return connection.execute(_OF_EXPERIMENT, {"name": name}).scalar_one_or_none()

    def statistics(self) -> Statistics:
        """Return statistics of the memory."""
        with self.database.connect() as connection:
            kinds = every(KindStatistics, connection.execute(_KINDS))
            return Statistics(**connection.execute(_TOTALS).mappings().one(), kinds=kinds)

    def forgotten(self, pattern_id: str) -> str | None:
        """Return why a pattern was removed; None if it was not removed by `forget`."""
        with self.database.connect() as connection:
            return connection.execute(_FORGOTTEN, {"pattern_id": pattern_id}).scalar_one_or_none()

    def forget(self, older_than_days: int = 90, max_uses: int = 0, dry_run: bool = True) -> list[Forgotten]:
        """Remove old patterns that were hardly used, and all but the best of several patterns for one problem.

        Args:
            older_than_days: Minimum age of a pattern to be removed for its age.
            max_uses: Maximum number of uses of such a pattern.
            dry_run: Whether to change nothing and only return the patterns.

        Returns:
            The patterns that were or would be removed, oldest first, without the starter memory.
        """
        limits: dict[str, Any] = {"older_than_days": older_than_days, "max_uses": max_uses}
        with self.database.begin() as connection:
            found = every(Forgotten, connection.execute(_FORGETTABLE, limits))
            if not dry_run:
                removed = set(connection.execute(_FORGET, limits).scalars())
                found = [one for one in found if one.pattern_id in removed]
        return found
