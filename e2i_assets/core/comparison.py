"""Models of several experiments that were evaluated on the same test rows, and what differs between the experiments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.errors import E2iError
from e2i_assets.core.evaluation.paired import PairedGain
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.fit_context import target_codes

_NOT_COMPARED = ("name", "description", "owner", "tags", "created_by", "success_criteria")


class NotComparable(E2iError):
    """The experiments have other test rows, or another question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedModel:
    """The model of one experiment.

    Attributes:
        experiment: Name of the experiment.
        algorithm: Its algorithm.
        model_key: The key of the model.
        metrics: All metrics on test.
        low, high: The 95 % interval of the compared metric, None without one.
        features: Number of features.
        samples: Number of rows that the model learnt from.
        trials: Number of trials of its search.
        search_seconds: Wall time of its search; None without one.
        fit_seconds: Wall time of its final fit.
        model_bytes: Size of the stored model.
        calibration_slope: Cox's calibration slope on test; None where it is undefined.
        segments: The compared metric of each segment of the test rows, by ``column = value``.
    """

    experiment: str
    algorithm: str
    model_key: str
    metrics: Mapping[str, float]
    low: float | None
    high: float | None
    features: int
    samples: int
    trials: int
    search_seconds: float | None
    fit_seconds: float | None
    model_bytes: int
    calibration_slope: float | None
    segments: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelComparison:
    """The comparison of models on the same test rows.

    Attributes:
        metric: The compared metric.
        greater_is_better: Whether a higher value is better.
        test_rows: Number of test rows.
        group: Column whose values were drawn as a whole for the intervals; None where rows were drawn.
        models: The models; the first is the reference.
        gains: The gain of each other model over the first, by experiment; None where it cannot be computed.
        differences: The settings and parameters that differ: ``setting`` and the value of each experiment.
    """

    metric: str
    greater_is_better: bool
    test_rows: int
    group: str | None
    models: tuple[ComparedModel, ...]
    gains: Mapping[str, PairedGain | None]
    differences: tuple[Mapping[str, str], ...]


def require_same_rows(first: TrainingRows, other: TrainingRows) -> None:
    """Refuse to compare two experiments unless their test rows are the same, in the same order.

    Rows are the same if the split is, or if the target, the weights and all features of one name and type that both
    have are equal.

    Raises:
        NotComparable: The rows, the target or the weights differ.
    """
    one, two = first.facts, other.facts
    names = f"{one.experiment} and {two.experiment} cannot be compared"
    if (one.problem_type, one.classes) != (two.problem_type, two.classes):
        raise NotComparable(f"{names}: they predict {_question(first)} and {_question(other)}")
    if one.counts["test"] != two.counts["test"]:
        raise NotComparable(
            f"{names}: their test rows differ ({one.counts['test']:,} and {two.counts['test']:,}). Give both the same "
            "source, and the same columns.group, columns.time, columns.id and split"
        )
    if _weights(first) != _weights(other):
        raise NotComparable(f"{names}: their rows have different weights (columns.weight)")
    if one.split_hash == two.split_hash:
        return
    truths = [target_codes(rows.test.target, rows.facts.classes).tolist() for rows in (first, other)]
    shared = _shared(first, other)
    same = shared and truths[0] == truths[1] and first.test.columns(shared).equals(other.test.columns(shared))
    if not same:
        raise NotComparable(
            f"{names}: their test rows differ, though both have {one.counts['test']:,}. Give both the same source, and "
            "the same columns.group, columns.time, columns.id and split"
        )


def differences(
    experiments: Sequence[Experiment], parameters: Mapping[str, Mapping[str, Any]]
) -> tuple[Mapping[str, str], ...]:
    """Return the settings and the parameters of the final models that differ between experiments.

    Args:
        experiments: The experiments.
        parameters: The parameters of each model, by experiment.
    """
    flat = {
        one.name: {
            **_flat(one.model_dump(mode="json", exclude=set(_NOT_COMPARED))),
            **_flat({"parameters": dict(parameters[one.name])}),
        }
        for one in experiments
    }
    settings = dict.fromkeys(setting for of in flat.values() for setting in of)
    return tuple(
        {"setting": setting, **{name: of.get(setting, "") for name, of in flat.items()}}
        for setting in settings
        if len({of.get(setting, "") for of in flat.values()}) > 1
    )


def _question(rows: TrainingRows) -> str:
    classes = f" with the classes {', '.join(map(str, rows.facts.classes))}" if rows.facts.classes else ""
    return f"{rows.facts.target} ({rows.facts.problem_type.replace('_', ' ')}{classes})"


def _weights(rows: TrainingRows) -> list[float] | None:
    return None if rows.test.weights is None else rows.test.weights.tolist()


def _shared(first: TrainingRows, other: TrainingRows) -> list[str]:
    types = [rows.test.blank().dtypes for rows in (first, other)]
    return [name for name in first.facts.features if name in types[1].index and types[0][name] == types[1][name]]


def _flat(value: Any, name: str = "") -> dict[str, str]:
    """Return nested settings by their dotted names, as text."""
    if not isinstance(value, Mapping):
        texts = ["" if one is None else f"{one:.6g}" if isinstance(one, float) else str(one) for one in _listed(value)]
        return {name: ", ".join(texts)}
    return {key: text for part, of in value.items() for key, text in _flat(of, f"{name}.{part}".strip(".")).items()}


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]
