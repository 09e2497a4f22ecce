"""The contract on random spaces, studies and trainings: valid output is accepted, and invalid output is rejected.

This module defines validity a second time, independently of the contract: it builds valid outputs, and derives
invalid ones by replacing one value with a value that is known to be invalid.
"""

import copy
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.contracts.violations import hpo_output, training_violations_of, violations_of
from e2i_assets.core.evaluation.confusion import Confusion
from e2i_assets.core.search_space.space import SearchSpace, parse_space, settled
from e2i_assets.core.search_space.space import active as drawn_of

Document = dict[str, Any]
Case = tuple[SearchSpace, Document, Document, Document]
MANY = settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))
FEW = settings(MANY, max_examples=15)  # each example tries every mistake
TEXTS = st.sampled_from(["a", "visits:1f2e", " x ", "é", "0"])
FINITE = st.floats(-1e12, 1e12)
COUNTS = st.integers(0, 10**6)
NAMES = ("depth", "rate", "share", "solver", "penalty", "rounds")
NOT_A_VALUE = st.sampled_from([math.nan, math.inf, -math.inf, [1], {"a": 1}, (1,), b"1", 10**400])
CHOICES = st.sampled_from(["a", "b", "c", 0, 1, 2.5, True, False, None])


@st.composite
def ints(draw: st.DrawFn) -> Document:
    low, width = draw(st.integers(1, 50)), draw(st.integers(0, 200))
    shape = draw(st.sampled_from([{}, {"log": True}, {"step": draw(st.integers(1, 7))}]))
    return {"type": "int", "low": low, "high": low + width, **shape}


@st.composite
def floats(draw: st.DrawFn) -> Document:
    low, width = draw(st.floats(1e-6, 10)), draw(st.floats(1e-3, 10))
    shape = draw(st.sampled_from([{}, {"log": True}, {"step": width / draw(st.integers(1, 9))}]))
    return {"type": "float", "low": low, "high": low + width, **shape}


@st.composite
def categories(draw: st.DrawFn) -> Document:
    return {
        "type": "categorical",
        "choices": draw(st.lists(CHOICES, min_size=1, max_size=4, unique_by=lambda one: (type(one), one))),
    }


@st.composite
def spaces(draw: st.DrawFn) -> SearchSpace:
    """Return a search space with conditional parameters, some of which have an `otherwise` value."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    raw: dict[str, Document] = {}
    for name in names:
        definition = draw(ints() | floats() | categories())
        parents = [one for one, of in raw.items() if of["type"] == "categorical"]
        if parents and draw(st.booleans()):
            parent = draw(st.sampled_from(parents))
            definition["when"] = {parent: [draw(st.sampled_from(raw[parent]["choices"]))]}
            if draw(st.booleans()):
                definition["otherwise"] = draw(st.sampled_from([0, None, -1, "none"]))
        raw[name] = definition
    return parse_space(raw)


def legal_value(draw: st.DrawFn, definition: Mapping[str, Any]) -> Any:
    if definition["type"] == "categorical":
        return draw(st.sampled_from(definition["choices"]))
    low, high, step = definition["low"], definition["high"], definition.get("step")
    if definition["type"] == "int":
        return low + (step or 1) * draw(st.integers(0, (high - low) // (step or 1)))
    if step is None:
        return draw(st.floats(low, high))
    return min(low + step * draw(st.integers(0, math.floor((high - low) / step))), high)


@st.composite
def cases(draw: st.DrawFn, completed: bool | None = None) -> Case:
    """Return a search space, its fixed and default values, and a valid study output for it."""
    space = draw(spaces())
    documents = {name: of.document() for name, of in space.items()}
    drawn: Document = {}
    for name, of in space.items():
        if of.is_active(drawn):
            drawn[name] = legal_value(draw, documents[name])
    defaults = {name: legal_value(draw, documents[name]) for name in space if draw(st.booleans())}
    defaults |= {"max_iter": draw(st.integers(1, 9))} if draw(st.booleans()) else {}
    fixed: Document = draw(st.fixed_dictionaries({}, optional={"seed": st.integers(0, 9), "verbose": st.booleans()}))
    found = draw(st.booleans()) if completed is None else completed
    ran = draw(st.integers(1, 99)) if found else draw(st.sampled_from([0, 3]))
    pruned, failed = draw(st.sampled_from([0, 5])), draw(st.sampled_from([0, 2]))
    begun = draw(st.none() | st.integers(ran + pruned + failed, 10**6))
    caused = not found and not ran and failed
    output = {
        "hpo_completed": found,
        "best_hyperparameters": {**defaults, **(settled(drawn, space) if found else {}), **fixed},
        "hpo_best_trial": draw(st.integers(0, (begun or ran + pruned + failed) - 1)) if found else None,
        "hpo_best_value": draw(FINITE) if found else None,
        "hpo_default_value": draw(st.none() | FINITE),
        "hpo_trials_run": ran,
        "hpo_trials_pruned": pruned,
        "hpo_trials_failed": failed,
        "hpo_trials_begun": begun,
        "hpo_duration_seconds": draw(st.floats(0, 1e6)),
        "hpo_study_name": draw(TEXTS),
        "hpo_spec_hash": draw(st.none() | TEXTS),
        "hpo_metric": draw(st.none() | TEXTS),
        "hpo_stop_reason": draw(TEXTS),
        **({"error": draw(TEXTS), "error_type": "hpo_error"} if caused else {}),
    }
    return space, fixed, defaults, output


@MANY
@given(cases())
def test_no_valid_study_is_rejected(case: Case) -> None:
    space, fixed, defaults, raw = case
    assert [str(one) for one in violations_of(raw, space, fixed, defaults)] == []
    output = hpo_output(raw, space, fixed, defaults)
    assert violations_of(json.loads(output.model_dump_json()), space, fixed, defaults) == []


@st.composite
def illegal_values(draw: st.DrawFn, definition: Mapping[str, Any]) -> Any:
    """Return an illegal value of this parameter."""
    if definition["type"] == "categorical":
        known = {(type(one), one) for one in definition["choices"]}
        return draw(
            (CHOICES | st.sampled_from(["z", 1.0, 0.0, "True", ""])).filter(lambda one: (type(one), one) not in known)
            | NOT_A_VALUE
        )
    low, high, step = definition["low"], definition["high"], definition.get("step")
    outside = [low - 1, high + 1, -high, 1e9, "1", None, True, False, str(low)]
    if definition["type"] == "int":
        outside += [float(low), low + 0.5, *([low + 1] if (step or 1) > 1 else [])]
    else:
        outside += [math.nextafter(high, math.inf), math.nextafter(low, -math.inf)]
        outside += [low + step / 2] if step is not None else []
    return draw(st.sampled_from(outside) | NOT_A_VALUE)


def parameter_mistakes(draw: st.DrawFn, case: Case) -> tuple[str, Any]:
    """Return one wrong parameter of a completed study as its name and value; ``...`` leaves the parameter out."""
    space, fixed, _, raw = case
    values = raw["best_hyperparameters"]
    drawn = drawn_of(values, space)
    # Another legal category may only disable conditional parameters; the rule is tested on those parameters.
    searched = [name for name in drawn if name not in fixed]
    settled_ones = [name for name in values if name not in drawn]
    kinds = ["extra", *(["searched", "missing"] if searched else []), *(["settled"] if settled_ones else [])]
    kind = draw(st.sampled_from(kinds))
    if kind == "extra":
        return "unheard_of", draw(st.sampled_from([1, 0.5, "a", None, True]))
    if kind == "settled":  # fixed, a default, or the `otherwise` value of a parameter that is not sampled
        name = draw(st.sampled_from(settled_ones))
        other = draw(CHOICES | st.just(-7.25) | st.just(...) | NOT_A_VALUE)
        if other is ... and name in space and not space[name].has_otherwise:
            other = "changed"
        return name, "changed" if same(other, values[name]) else other
    name = draw(st.sampled_from(searched))
    return name, ... if kind == "missing" else draw(illegal_values(space[name].document()))


def same(value: object, other: object) -> bool:
    return type(value) is type(other) and value == other


STUDY_MISTAKES: dict[str, list[Any]] = {
    "hpo_completed": ["true", 1, 0, None, ..., math.nan, []],
    "best_hyperparameters": [None, ..., [], "a", [("depth", 3)]],
    "hpo_best_trial": [None, -1, True, 7.0, "7", math.nan, 10**6],
    "hpo_trials_begun": [0, -1, True, "3", 2.0],
    "hpo_best_value": [None, ..., math.nan, math.inf, -math.inf, "0.9", True, [0.9]],
    "hpo_default_value": [math.nan, math.inf, "0", False],
    "hpo_best_stopped_early": [1, "yes", None],
    "hpo_trials_run": [0, ..., -1, True, 1.5, None, "3", math.nan],
    "hpo_trials_pruned": [-1, True, 0.5, None],
    "hpo_trials_failed": [-1, False, "0", None],
    "hpo_duration_seconds": [-0.1, math.nan, math.inf, None, "1", True],
    "hpo_study_name": [None, ..., "", " \n", 3],
    "hpo_spec_hash": ["", 7, b"x"],
    "hpo_metric": ["", True],
    "hpo_stop_reason": ["", 1, []],
    "error": ["it broke", "", 1],
    "error_type": ["hpo_error", "bad luck", 0],
    "validation_warnings": [None, "one", [1], [""], {}],
    "hpo_trials": [3],
}
# Values for a study that did not complete.
EMPTY_MISTAKES: dict[str, list[Any]] = {
    "hpo_completed": [True, 0, "false", None, ...],
    "hpo_best_trial": [0, 3],
    "hpo_best_value": [0.5, -1.0],
    "hpo_best_stopped_early": [True],
    "hpo_trials_pruned": [-1],
    "error": ["", 3],
    "error_type": ["bad luck", 0],
}


def changed(document: Document, path: tuple[str, ...], value: object) -> Document:
    document = copy.deepcopy(document)
    inner = document
    for part in path[:-1]:
        inner = inner[part]
    if value is ...:
        inner.pop(path[-1], None)
    else:
        inner[path[-1]] = value
    return document


@MANY
@given(st.data(), cases(completed=True))
def test_no_invalid_parameter_is_accepted(data: st.DataObject, case: Case) -> None:
    space, fixed, defaults, raw = case
    name, value = parameter_mistakes(data.draw, case)
    wrong = changed(raw, ("best_hyperparameters", name), value)
    assert violations_of(wrong, space, fixed, defaults), (name, value)


@FEW
@given(cases())
def test_every_invalid_field_of_a_study_is_rejected_by_name(case: Case) -> None:
    space, fixed, defaults, raw = case
    for field, values in (STUDY_MISTAKES if raw["hpo_completed"] else EMPTY_MISTAKES).items():
        for value in values:
            found = {one.where for one in violations_of(changed(raw, (field,), value), space, fixed, defaults)}
            assert found, (field, value)
            if field != "hpo_completed":  # in this case the other fields are inconsistent
                assert {one.split(".")[0] for one in found} & {field, "error_type"}, (field, value, found)


@st.composite
def class_metrics(draw: st.DrawFn) -> Document:
    """Return the counts of two classes, and the metrics computed from them."""
    cell = st.integers(0, 10**4)
    tp, fn, fp, tn = draw(cell) + 1, draw(cell), draw(cell), draw(cell) + 1
    confusion = Confusion.of(2, *_pairs(tp, fn, fp, tn)) if tp + fn + fp + tn < 10**5 else None
    assert confusion is not None
    metrics = {
        "accuracy": confusion.accuracy,
        "precision": confusion.precision(1),
        "recall": confusion.recall(1),
        "f1_score": confusion.f1(1),
        "roc_auc": draw(st.floats(0, 1)),
    }
    headline = {{"roc_auc": "auc_roc"}.get(name, name): value for name, value in metrics.items()}
    chosen = draw(st.sets(st.sampled_from(sorted(headline))))
    counts = {"TP": tp, "TN": tn, "FP": fp, "FN": fn}
    return {**{name: headline[name] for name in chosen}, "confusion_matrix": counts, "all_metrics": metrics}


def _pairs(tp: int, fn: int, fp: int, tn: int) -> tuple[Any, Any]:
    import numpy as np

    return np.repeat([1, 1, 0, 0], [tp, fn, fp, tn]), np.repeat([1, 0, 1, 0], [tp, fn, fp, tn])


@st.composite
def value_metrics(draw: st.DrawFn) -> Document:
    mae = draw(st.floats(0, 1e6))
    metrics = {"mae": mae, "rmse": mae * draw(st.floats(1, 3)), "r2": draw(st.floats(-1e6, 1))}
    chosen = draw(st.sets(st.sampled_from(sorted(metrics))))
    return {**{name: metrics[name] for name in chosen}, "all_metrics": metrics}


LOGGED = ("run_id", "model_uri", "registered_model_name", "version", "stage")


@st.composite
def trainings(draw: st.DrawFn) -> tuple[HpoOutput, Document]:
    """Return a study's output, and a valid output of a training from it."""
    space, fixed, defaults, raw = draw(cases())
    hpo = hpo_output(raw, space, fixed, defaults)
    run, logged, stopped = draw(st.from_regex(r"[0-9a-f]{8}", fullmatch=True)), draw(st.booleans()), draw(st.booleans())
    criteria = draw(st.dictionaries(st.sampled_from(["minimum_auc", "maximum_fpr", "rmse"]), st.booleans()))
    mlflow = dict.fromkeys(LOGGED) | {"mlflow_status": draw(st.sampled_from(["unavailable", "disabled"]))}
    if logged:
        registration = (run, f"runs:/{run}/model", draw(TEXTS), draw(st.integers(1, 99)), "Staging")
        mlflow = dict(zip(LOGGED, registration, strict=True)) | {"mlflow_status": "logged"}
    return hpo, {
        "trained_model": {
            "model_id": draw(TEXTS),
            "experiment_id": draw(TEXTS),
            "algorithm": "XGBoost",
            "hyperparameters": dict(hpo.best_hyperparameters),
            "training_samples": draw(st.integers(1, 10**7)),
            "training_duration_seconds": draw(st.floats(0, 1e6)),
            "early_stopped": stopped,
            "final_epoch": draw(st.integers(1, 999) if stopped else st.none() | st.integers(1, 999)),
        },
        "validation_metrics": draw(class_metrics() | value_metrics()),
        "mlflow_info": mlflow,
        "success_criteria_met": all(criteria.values()),
        "success_criteria_results": criteria,
        "hpo_completed": hpo.hpo_completed,
        "hpo_best_trial": hpo.hpo_best_trial,
    }


@MANY
@given(trainings())
def test_no_valid_training_is_rejected(made: tuple[HpoOutput, Document]) -> None:
    hpo, raw = made
    assert [str(one) for one in training_violations_of(raw, hpo)] == []
    assert training_violations_of(json.loads(json.dumps(raw)), hpo) == []


Mistake = tuple[tuple[str, ...], Callable[[Document], list[Any]]]


def _always(*values: Any) -> Callable[[Document], list[Any]]:
    return lambda raw: list(values)


def _where(holds: Callable[[Document], bool], *values: Any) -> Callable[[Document], list[Any]]:
    return lambda raw: list(values) if holds(raw) else []


def _logged(raw: Document) -> bool:
    return bool(raw["mlflow_info"]["mlflow_status"] == "logged")


def _of_classes(raw: Document) -> bool:
    return "confusion_matrix" in raw["validation_metrics"]


def _counted(name: str, by: int) -> Callable[[Document], list[Any]]:
    def values(raw: Document) -> list[Any]:
        counts = raw["validation_metrics"].get("confusion_matrix", {"FP": 0, "FN": 0})
        # More correctly predicted rows change no rate of a model without errors.
        return [counts[name] + by] if counts["FP"] + counts["FN"] else []

    return values


TRAINING_MISTAKES: list[Mistake] = [
    *((("trained_model", name), _always("", " ", None, 3, ...)) for name in ("model_id", "experiment_id", "algorithm")),
    (("trained_model", "hyperparameters"), _always(None, ..., [], {"unheard_of": 1})),
    (("trained_model", "hyperparameters", "unheard_of"), _always(1, math.nan, [1])),
    (("trained_model", "training_samples"), _always(0, -1, True, 1.5, None, "3", ..., math.inf)),
    (("trained_model", "training_duration_seconds"), _always(-0.5, math.nan, math.inf, None, "1", True, ...)),
    (("trained_model", "early_stopped"), _always(1, "no", None, ...)),
    (("trained_model", "final_epoch"), _always(0, -1, 3.0, True, "3", ...)),
    (("trained_model", "final_epoch"), _where(lambda raw: raw["trained_model"]["early_stopped"], None)),
    (("validation_metrics",), _always(None, ..., {}, [])),
    (("validation_metrics", "all_metrics"), _always({}, None, ..., {"roc_auc": math.nan}, {"": 0.5}, {"a": "b"})),
    *(
        (("validation_metrics", name), _where(_of_classes, 1.5, -0.1, math.nan, "0.5", True))
        for name in ("accuracy", "precision", "recall", "f1_score", "auc_roc")
    ),
    *((("validation_metrics", name), _where(_of_classes, 0.5)) for name in ("rmse", "mae", "r2")),
    (("validation_metrics", "r2"), _always(1.5, math.nan)),
    (("validation_metrics", "rmse"), _always(-0.5, math.inf)),
    (("validation_metrics", "accuracy"), _where(lambda raw: not _of_classes(raw), 0.5)),
    *((("validation_metrics", "confusion_matrix", name), _counted(name, 7)) for name in ("TP", "TN")),
    (("validation_metrics", "confusion_matrix", "FP"), _where(_of_classes, -1, True, 1.0, None, ...)),
    (("validation_metrics", "confusion_matrix"), _always({}, [[1, 2], [3, 4]], dict.fromkeys(["TP", "TN"], 1))),
    (("validation_metrics", "confusion_matrix"), _always(dict.fromkeys(["TP", "TN", "FP", "FN"], 0))),
    (("mlflow_info",), _always(None, ..., {})),
    (("mlflow_info", "mlflow_status"), _always("success", None, ..., True)),
    *((("mlflow_info", name), _where(_logged, None, ..., "", 0)) for name in LOGGED),
    *((("mlflow_info", name), _where(lambda raw: not _logged(raw), "invented", 1)) for name in LOGGED),
    (("mlflow_info", "model_uri"), _where(_logged, "runs:/other/model", "runs:/", "model", "/tmp/model")),
    (("mlflow_info", "version"), _where(_logged, "1", 1.0, True, -1)),
    (("mlflow_info", "stage"), _where(_logged, "somewhere")),
    (("success_criteria_met",), lambda raw: [not raw["success_criteria_met"], None, 1, "true", ...]),
    (("success_criteria_results",), _always(None, ..., [], {"minimum_auc": None}, {"": True}, {"minimum_auc": 1})),
    (("hpo_completed",), lambda raw: [not raw["hpo_completed"], None, 1, ...]),
    (("hpo_best_trial",), lambda raw: [-1, True, 1.0, "1", None if raw["hpo_completed"] else 3]),
    (("further",), _always(1)),
]


@FEW
@given(trainings())
def test_no_invalid_training_is_accepted(made: tuple[HpoOutput, Document]) -> None:
    hpo, raw = made
    accepted = [
        (path, value)
        for path, values in TRAINING_MISTAKES
        for value in values(raw)
        if not training_violations_of(changed(raw, path, value), hpo)
    ]
    assert accepted == []
