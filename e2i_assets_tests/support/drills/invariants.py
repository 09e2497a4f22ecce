"""The invariants of a project after any fault, checked in SQL and in its folder.

Each query returns violations as human-readable text.
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa

from drills.project import BUDGET, NAME
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.core.errors import E2iError
from e2i_assets.services.freshness import is_complete
from e2i_assets.services.project import Project

_ENDED = """
    SELECT trial_number, state, value, params, intermediate_values FROM ml_hpo_trials
    WHERE state IN ('COMPLETE', 'PRUNED', 'FAIL')
"""
_COUNTED = "ml_hpo_trials WHERE state IN ('COMPLETE', 'PRUNED', 'FAIL') AND error_type IS DISTINCT FROM 'Interrupted'"
_DOUBLED = {
    "trials that count, and the budget": f"SELECT count(*) FROM {_COUNTED} HAVING count(*) <> {BUDGET}",
    "trials that are counted, and the budget": f"""
        SELECT study_name, n_completed, n_pruned, n_failed FROM ml_hpo_studies
        WHERE n_completed + n_pruned + n_failed <> {BUDGET}""",
    "configurations tried twice": f"""
        SELECT coalesce(nullif(user_attrs -> 'sampled', '{{}}'), params), array_agg(trial_number) FROM {_COUNTED}
        GROUP BY 1 HAVING count(*) > 1""",
    "trials tried again twice": """
        SELECT user_attrs ->> 'retry_of', array_agg(trial_number) FROM ml_hpo_trials
        WHERE origin = 'retry' GROUP BY 1 HAVING count(*) > 1""",
    "studies": "SELECT count(*) FROM ml_hpo_studies HAVING count(*) <> 1",
    "studies of Optuna": "SELECT count(*) FROM optuna.studies HAVING count(*) <> 1",
    "trainings": "SELECT count(*) FROM ml_training_runs HAVING count(*) <> 1",
    "patterns": "SELECT count(*) FROM ml_hpo_patterns WHERE source = 'study' HAVING count(*) <> 1",
    "memories": """
        SELECT count(*) FROM procedural_memories JOIN ml_hpo_patterns USING (procedure_id) WHERE source = 'study'
        HAVING count(*) <> 1""",
    "memories without a pattern": """
        SELECT procedure_name FROM procedural_memories LEFT JOIN ml_hpo_patterns USING (procedure_id)
        WHERE pattern_id IS NULL""",
    "runs in MLflow": """
        SELECT count(*) FROM mlflow.runs WHERE lifecycle_stage = 'active' AND status = 'FINISHED'
        HAVING count(*) <> 1""",
    "versions of a model in MLflow": "SELECT run_id FROM mlflow.model_versions GROUP BY 1 HAVING count(*) > 1",
    "models": "SELECT count(*) FROM ml_model_registry HAVING count(*) <> 1",
    "champions": "SELECT count(*) FROM ml_model_registry WHERE is_champion HAVING count(*) <> 1",
}
_ORPHANS = {
    "trials under way": "SELECT trial_number, state FROM ml_hpo_trials WHERE state IN ('RUNNING', 'WAITING')",
    "trials of Optuna under way": "SELECT number, state FROM optuna.trials WHERE state IN ('RUNNING', 'WAITING')",
    "trials that only Optuna or only we know": """
        SELECT theirs.number, theirs.state, ours.trial_number, ours.state
        FROM optuna.trials AS theirs FULL JOIN ml_hpo_trials AS ours ON theirs.number = ours.trial_number
        WHERE theirs.number IS NULL OR ours.trial_number IS NULL OR CAST(theirs.state AS text) <> ours.state""",
    "studies that did not end well": """
        SELECT study_name, status, stop_reason FROM ml_hpo_studies
        WHERE status <> 'completed' OR stop_reason <> 'budget spent'""",
    "trainings that did not end well": "SELECT id, status FROM ml_training_runs WHERE status <> 'finished'",
    "runs of MLflow under way": """
        SELECT run_uuid, status FROM mlflow.runs
        WHERE lifecycle_stage = 'active' AND status NOT IN ('FINISHED', 'FAILED', 'KILLED')""",
    "runs of Dagster under way": """
        SELECT run_id, status FROM dagster.runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')""",
    "slots of a pool that nobody gave back": """
        SELECT concurrency_key, run_id FROM dagster.concurrency_slots WHERE run_id IS NOT NULL""",
    "steps that wait for a slot": "SELECT concurrency_key, run_id FROM dagster.pending_steps",
    "requests of a run that are open": "SELECT experiment_id, status FROM ml_run_requests WHERE status <> 'launched'",
}
_LINKS = {
    "links from the training": """
        SELECT * FROM training_run_links WHERE study_id IS NULL OR best_trial_number IS NULL OR trial_params IS NULL
        OR pattern_id IS NULL OR split_id IS NULL OR mlflow_run_id IS NULL OR dagster_run_id IS NULL
        OR NOT hyperparameters @> trial_params""",
    "the run of MLflow": """
        SELECT mlflow_run_id, runs.status FROM ml_training_runs LEFT JOIN mlflow.runs ON run_uuid = mlflow_run_id
        WHERE runs.status IS DISTINCT FROM 'FINISHED'""",
    "the training that the run of MLflow names": """
        SELECT mlflow_run_id, tags.value FROM ml_training_runs
        LEFT JOIN mlflow.tags ON run_uuid = mlflow_run_id AND key = 'e2i.training_run_id'
        WHERE tags.value IS DISTINCT FROM CAST(ml_training_runs.id AS text)""",
    "the run of Dagster": """
        SELECT dagster_run_id, runs.status FROM ml_training_runs
        LEFT JOIN dagster.runs ON run_id = dagster_run_id WHERE run_id IS NULL""",
    "the pattern of the study": """
        SELECT ml_hpo_patterns.spec_hash FROM ml_hpo_patterns FULL JOIN ml_training_runs USING (spec_hash)
        WHERE coalesce(source, 'study') = 'study' AND ml_hpo_patterns.pattern_id IS DISTINCT FROM
        ml_training_runs.pattern_id""",
    "the best trial": """
        SELECT study_name, best_value, value FROM ml_hpo_studies LEFT JOIN ml_hpo_trials
        ON study_id = ml_hpo_studies.id AND trial_number = best_trial_number WHERE value IS DISTINCT FROM best_value""",
}
_HALF_WRITTEN = (".*-*", ".new-*", "*.partial", "initdb-*", "*.tmp")
Ended = Mapping[int, tuple[object, ...]]


@dataclass(frozen=True)
class Findings:
    """The violations as human-readable text; empty if all invariants hold."""

    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    orphans: tuple[str, ...]
    links: tuple[str, ...]
    left_over: tuple[str, ...]


def ended_trials(database: Database) -> Ended:
    """Return the ended trials, which must not change again."""
    with database.connect() as connection:
        return {row[0]: tuple(row[1:]) for row in connection.execute(sa.text(_ENDED))}


def findings(project: Project, before: Ended) -> Findings:
    """Check all invariants after a run has reported success.

    Args:
        workspace: The project.
        before: Trials that had ended before the fault.
    """
    after = ended_trials(project.database)
    lost = [
        f"trial {number} was {was} and is {after.get(number)}"
        for number, was in before.items()
        if after.get(number) != was
    ]
    links = list(_asked(project.database, _LINKS))
    if not is_complete(project, project.experiment(NAME)):
        links.append("another run would have something to do")
    return Findings(
        lost=tuple(lost),
        doubled=tuple(_asked(project.database, _DOUBLED)),
        orphans=tuple(_asked(project.database, _ORPHANS)),
        links=tuple(links),
        left_over=(*half_written(project.settings.state), *unreadable(project)),
    )


def half_written(state: Path) -> list[str]:
    """Return files that a dead process left half written, and files that wait for MLflow; both must be empty."""
    found = {path for pattern in _HALF_WRITTEN for path in state.rglob(pattern) if "data" not in path.parts}
    found |= set((state / "mlflow-outbox").glob("*/*"))
    return sorted(str(path.relative_to(state)) for path in found)


def unreadable(project: Project) -> Iterator[str]:
    """Yield the values whose files are not those that were written, on a machine that has no copies of them."""
    with tempfile.TemporaryDirectory() as scratch:
        elsewhere = replace(project.settings, state=Path(scratch)) if project.settings.address else project.settings
        for key in elsewhere.store.keys(f"assets/*/{NAME}"):
            try:
                elsewhere.store.folder(key)
            except E2iError as error:
                yield f"{key}: {error}"


def _asked(database: Database, queries: Mapping[str, str]) -> list[str]:
    with database.connect() as connection:
        return [
            f"{what}: {tuple(row)}" for what, query in queries.items() for row in connection.execute(sa.text(query))
        ]
