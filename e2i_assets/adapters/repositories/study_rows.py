"""The rows of a study and its trials in the tables `ml_hpo_studies` and `ml_hpo_trials`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypedDict

StudyStatus = Literal["running", "completed", "partial", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRow:
    """A requested study; `spec_hash` is the study key and `n_trials` the budget.

    `budget_override` is what the call has set instead of the experiment: `trials`, `timeout_seconds`, or nothing.
    `objectives` are documents of `name` and `greater_is_better`; the first one is the metric.
    """

    study_name: str
    spec_hash: str
    experiment_id: str
    split_id: str | None
    data_hash: str
    algorithm_name: str
    problem_type: str
    sampler_name: str
    pruner_name: str
    metric: str
    seed: int
    search_space: Mapping[str, Any]
    fixed_params: Mapping[str, Any]
    n_trials: int
    objective: Literal["validation", "cross_validation"] = "validation"
    objectives: Sequence[Mapping[str, Any]] = ()
    constraints: Mapping[str, Any] = field(default_factory=dict)
    budget_override: Mapping[str, float] = field(default_factory=dict)
    direction: str = "maximize"
    created_by: str = "e2i_assets"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStudy(StudyRow):
    """A stored study."""

    id: str
    status: StudyStatus
    n_completed: int
    n_pruned: int
    n_failed: int
    best_trial_number: int | None
    best_value: float | None
    best_params: Mapping[str, Any]
    default_value: float | None
    duration_seconds: float | None
    stop_reason: str | None
    error_message: str | None
    started_at: datetime
    completed_at: datetime | None


class StudyOutcome(TypedDict):
    """The result of a study, without the counts of its trials, which are computed from the trials.

    Values are in the orientation that the study maximises.
    """

    status: StudyStatus
    best_trial_number: int | None
    best_value: float | None
    best_params: Mapping[str, Any]
    default_value: float | None
    duration_seconds: float
    stop_reason: str | None
    error_message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRow:
    """A configuration that a study tried or tries; `intermediate_values` map step to value.

    `value` is the value of the first objective, higher is better; `objective_values` and `constraint_values` are in
    their natural orientation. `worker` is the name of the process that runs it. Membership in the Pareto set is
    recorded at the end of the study.
    """

    trial_number: int
    state: str
    origin: str
    params: Mapping[str, Any]
    value: float | None = None
    intermediate_values: Mapping[str, float | None] = field(default_factory=dict)
    datetime_start: datetime | None = None
    datetime_complete: datetime | None = None
    duration_seconds: float | None = None
    error_type: str | None = None
    error_message: str | None = None
    user_attrs: Mapping[str, Any] = field(default_factory=dict)
    system_attrs: Mapping[str, Any] = field(default_factory=dict)
    objective_values: Mapping[str, float | None] = field(default_factory=dict)
    constraint_values: Mapping[str, float | None] = field(default_factory=dict)
    is_feasible: bool = True
    worker: str | None = None
