"""The overview of all experiments: how good the model in use is, whether its checks passed, and since when."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from e2i_assets.adapters.repositories.standings import StandingRow, standing_rows
from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.evaluation.measures import PRIMARY, Measure, measure
from e2i_assets.core.metrics import ProblemType
from e2i_assets.services.checks.actions import action, action_if_not_evaluated
from e2i_assets.services.checks.catalogue import CHECKS
from e2i_assets.services.checks.check import Outcome
from e2i_assets.services.project import Project

AS_A_WARNING = "failed as a warning"
_CRITERIA = "success_criteria_are_met"
_URGENCIES = {"failed": 0, "not evaluated": 1, "warning": 3}
_MISSED = 2
_WARNINGS = {(one.asset, one.name) for one in CHECKS if one.severity == "WARN" and not one.blocking}


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """The last result of a check for an experiment, as Dagster has it.

    Attributes:
        outcome: "not evaluated" means that its execution failed.
        why: The reason of a check that failed, where it is known.
        since: When it failed for the first time since it passed last, where it is known.
    """

    asset: str
    name: str
    outcome: Outcome
    why: str = ""
    since: datetime | None = None

    @property
    def word(self) -> str:
        """Return ``passed``, ``warning``, ``failed`` or ``not evaluated``.

        Dagster shows a warning as "Failed" too, with another colour.
        """
        if self.outcome == "failed" and (self.asset, self.name) in _WARNINGS:
            return "warning"
        return self.outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Something that is wrong with an experiment.

    Attributes:
        what: What is wrong and why, and whether it blocks.
        since: Since when, where it is known.
        action: What to do, with the command or the key of the experiment file.
        urgency: The order in which to look at them, the smallest first: what blocks, then a missed criterion.
    """

    experiment: str
    what: str
    since: datetime | None
    action: str
    urgency: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an experiment stands.

    Attributes:
        algorithm: The algorithm of the model; before the first training, those that the experiment names.
        metric: The metric of the experiment, by its name among the reported ones.
        greater_is_better: The direction of the metric.
        value: The metric on test of the model in use, or of the last trained one if none is.
        low, high: Its 95 % interval, if the metric has one.
        version: Version in MLflow of the model in use, or the start of its key; None if none is in use.
        since: When this model came into use.
        trained_at: When the model was trained; None before the first training.
        retired_at: When the experiment was retired; None if it is in use.
        checks: The last result of each check that Dagster has evaluated.
        question: The source and the target: experiments with the same ones answer the same question.
    """

    experiment: str
    owner: str
    problem_type: ProblemType
    algorithm: str
    metric: str
    greater_is_better: bool
    value: float | None
    low: float | None
    high: float | None
    test_rows: int | None
    version: str | None
    since: datetime | None
    trained_at: datetime | None
    retired_at: datetime | None
    of_component: bool
    checks: Sequence[CheckOutcome]
    question: str = ""

    @property
    def not_passed(self) -> list[CheckOutcome]:
        """The checks that did not pass, failures first."""
        order = ("failed", "not evaluated", "warning")
        return sorted((one for one in self.checks if one.word in order), key=lambda one: order.index(one.word))

    @property
    def checks_text(self) -> str:
        """The counts of the checks, such as ``38 passed, 1 failed as a warning``; empty if none was evaluated."""
        words = [one.word for one in self.checks]
        counts = {word: words.count(word) for word in ("passed", "failed", "not evaluated", "warning")}
        more = {"warning": AS_A_WARNING if counts["warning"] == 1 else "failed as warnings"}
        return ", ".join(f"{count} {more.get(word, word)}" for word, count in counts.items() if count)

    @property
    def attention(self) -> list[Attention]:
        """What is wrong: a check that did not pass, and that no model is in use; the most urgent first."""
        found = [_of_check(self.experiment, one) for one in self.not_passed]
        if self.version is None and self.retired_at is None:
            trained = self.trained_at is not None
            found.append(
                Attention(
                    experiment=self.experiment,
                    what="no model is in use: " + ("none has passed its checks" if trained else "none was trained yet"),
                    since=self.trained_at,
                    action=f"Correct what the failed checks say, then run `e2i run {self.experiment}`."
                    if trained
                    else f"Train one: `e2i run {self.experiment}`.",
                )
            )
        return sorted(found, key=lambda one: one.urgency)


def _of_check(experiment: str, check: CheckOutcome) -> Attention:
    word = f"{AS_A_WARNING}, which blocks nothing" if check.word == "warning" else check.word
    missing = check.outcome == "not evaluated"
    return Attention(
        experiment=experiment,
        what=f'check "{check.name.replace("_", " ")}" {word}' + (f": {check.why}" if check.why else ""),
        since=check.since,
        action=action_if_not_evaluated(experiment) if missing else action(check.asset, check.name, experiment),
        urgency=_MISSED if check.name == _CRITERIA else _URGENCIES[check.word],
    )


def overview(project: Project, checks: Mapping[str, Sequence[CheckOutcome]]) -> list[Standing]:
    """Return all experiments: those of one problem type and metric together, the best first; retired ones last.

    Args:
        project: The project.
        checks: The last results of the checks, by experiment.
    """
    found = [_standing(row, checks.get(row.experiment_name, ())) for row in standing_rows(project.database)]
    return sorted(found, key=_rank)


@dataclass(frozen=True, slots=True)
class Best:
    """The experiment with the best value for a question.

    Attributes:
        of: The number of experiments that answer it.
        overlapping: Those whose interval overlaps its own, so that another sample of rows may order them otherwise.
    """

    of: int
    overlapping: tuple[str, ...]


def best(found: Sequence[Standing]) -> dict[str, Best]:
    """Return the experiment with the best value for each question that several answer.

    Experiments are compared only if their source, target, problem type and metric are the same.
    """
    groups: dict[tuple[str, str, str], list[Standing]] = defaultdict(list)
    for one in found:
        if one.value is not None and one.retired_at is None:
            groups[one.question, one.problem_type, one.metric].append(one)
    ranked = [sorted(of, key=_rank) for of in groups.values() if len(of) > 1]
    return {
        first.experiment: Best(1 + len(others), tuple(one.experiment for one in others if _overlap(first, one)))
        for first, *others in ranked
    }


def _overlap(one: Standing, other: Standing) -> bool:
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.low <= other.high and other.low <= one.high


def _standing(row: StandingRow, checks: Sequence[CheckOutcome]) -> Standing:
    spec = row.spec
    # A row that somebody wrote into the table may lack keys; the check of the files reports it.
    problem_type: ProblemType = spec.get("problem_type", "binary_classification")
    counted = measure(str(spec.get("metric")), problem_type) or Measure(
        str(spec.get("metric") or PRIMARY[problem_type])
    )
    interval = (row.test_intervals or {}).get(counted.name)
    in_use = row.promoted_at is not None and row.retired_at is None
    key = row.model_key[:12] if row.model_key else None
    return Standing(
        experiment=row.experiment_name,
        owner=str(spec.get("owner") or "-"),
        problem_type=problem_type,
        algorithm=row.algorithm or _algorithms(spec.get("algorithm")),
        metric=counted.name,
        greater_is_better=counted.greater_is_better,
        value=(row.test_metrics or {}).get(counted.name),
        low=interval["low"] if interval else None,
        high=interval["high"] if interval else None,
        test_rows=row.test_samples,
        version=(row.model_version or key) if in_use else None,
        since=row.promoted_at if in_use else None,
        trained_at=row.trained_at,
        retired_at=row.retired_at,
        of_component=row.of_component,
        checks=() if row.retired_at else checks,
        question=content_hash([spec.get("source"), spec.get("target")]),
    )


def _algorithms(named: object) -> str:
    """Return the algorithms that an experiment names as text."""
    return ", ".join(map(str, named)) if isinstance(named, list) else str(named or "-")


def _rank(one: Standing) -> tuple[bool, str, str, float, str]:
    worst = float("inf")
    value = worst if one.value is None else -one.value if one.greater_is_better else one.value
    return one.retired_at is not None, one.problem_type, one.metric, value, one.experiment
