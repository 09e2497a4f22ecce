"""The text of a new experiment file: short, with a comment for each line that a person may change.

What nobody knows yet is left blank. A blank line is a mistake of the file, so nothing trains it.
"""

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from e2i_assets.core import metrics
from e2i_assets.core.algorithms import registry
from e2i_assets.core.errors import E2iError, readable
from e2i_assets.core.experiments.source_section import Source
from e2i_assets.core.experiments.values import AUTO
from e2i_assets.core.metrics import OF_ORDER, PROBLEM_TYPES, ProblemType
from e2i_assets.core.suggestions import not_one_of

TRIALS = 30
_LONGEST = 300
_CRITERIA = {
    "binary_classification": "roc_auc: 0.7",
    "multiclass_classification": "f1_weighted: 0.6",
    "regression": "r2: 0.1",
}
_PLAIN = re.compile(r"[A-Za-z_](?:[\w./@-]|:(?=\S))*(?: [\w./()-]+)*", re.ASCII)
# Words that some YAML parsers read as something else than text.
_SPECIAL = re.compile(r"true|false|yes|no|on|off|y|n|null", re.IGNORECASE)

_TEMPLATE = """\
# yaml-language-server: $schema={schema}
# Check this file and its rows: e2i experiment validate {name} --data

name: {name}
{description}owner: {owner}  # a team, or the e-mail address of a person

{source}
target: {target}
problem_type: {problem_type}  # {other_types}
{positive}
columns:
{columns}
{other_algorithms}
# A list compares several in one budget of trials; auto compares a linear model, LightGBM and XGBoost.
algorithm: {algorithm}
metric: {metric}  # {other_metrics}
hpo: {{trials: {trials}}}  # more trials continue the study
# Thresholds for metrics on the test rows:
# success_criteria: {{{criterion}}}
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is known of a new experiment; None and empty: not known.

    Attributes:
        name: The name of the experiment; it is not validated here.
        owner: A team or an e-mail address.
        algorithm: The name of an algorithm of the registry, or auto.
        source: The source of the rows.
        why: The reason of each option of a CSV file that had to be chosen.
        target: The column to predict.
        problem_type: The problem type.
        metric: The metric; None selects the default one.
        positive_label: The positive class.
        id: Columns that identify a row.
        group: The group column.
        order: The classes of an ordered target, from the lowest to the highest.
        times: Columns that could be the time.
        dates: The form of dates that cannot be read in one way only, by column.
        missing: Words that mean a missing value, by column.
        drop: Columns to drop, with the reason.
    """

    name: str
    owner: str
    algorithm: str = "XGBoost"
    source: Source | None = None
    why: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    problem_type: ProblemType | None = None
    metric: str | None = None
    positive_label: str | None = None
    id: Sequence[str] = ()
    group: str | None = None
    order: Sequence[str] = ()
    times: Sequence[str] = ()
    dates: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, Sequence[str]] = field(default_factory=dict)
    drop: Mapping[str, str] = field(default_factory=dict)


def template(draft: Draft, schema: str = "../docs/experiment.schema.json") -> str:
    """Return the text of a new experiment file.

    Args:
        draft: What is known.
        schema: The path of the JSON Schema, relative to the folder of the file.

    Raises:
        E2iError: The algorithm does not exist, or does not support the problem type.
    """
    if draft.algorithm not in (known := [*registry.names(), AUTO]):
        raise E2iError(f"algorithm {draft.algorithm!r} {not_one_of(draft.algorithm, known)}")
    able = PROBLEM_TYPES if draft.algorithm == AUTO else registry.algorithm(draft.algorithm).problem_types
    chosen = draft.problem_type or (able[0] if len(able) == 1 else None)
    if chosen and chosen not in able:
        raise E2iError(f"problem type {chosen!r} {not_one_of(chosen, able)}, the problem types of {draft.algorithm}")
    metric = draft.metric or (metrics.default_metric(chosen) if chosen else "")
    others = [one for one in metrics.names(chosen) if one not in {metric, *OF_ORDER}] if chosen else []
    types = [one for one in PROBLEM_TYPES if one != chosen]
    positive = f"positive_label: {_yaml(draft.positive_label)}\n" if draft.positive_label is not None else ""
    text = _TEMPLATE.format(
        name=draft.name,
        description=_description(draft),
        owner=_yaml(draft.owner),
        source=_source(draft),
        target=_target(draft),
        schema=schema,
        problem_type=chosen or "",
        other_types=f"{'or ' if chosen else ''}{', '.join(types)}",
        positive=positive,
        columns="\n".join(_columns(draft)) + "\n",
        algorithm=draft.algorithm,
        other_algorithms=_commented(f"Or {', '.join(one for one in registry.names() if one != draft.algorithm)}."),
        metric=metric,
        other_metrics=f"or {', '.join(others)}" if others else "empty: the usual metric of the problem type",
        trials=TRIALS,
        criterion=_CRITERIA[chosen or PROBLEM_TYPES[0]],
    )
    if not metric:
        text = text.replace("\nmetric: ", "\n# metric: ")
    return re.sub(r"[ ]+$", "", text, flags=re.MULTILINE)


def _commented(text: str) -> str:
    return textwrap.fill(text, 120, initial_indent="# ", subsequent_indent="# ")


def _description(draft: Draft) -> str:
    if draft.target is None or draft.source is None:
        return ""
    place = "a query" if draft.source.sql else draft.source.place
    return f"description: {_yaml(f'Predicts {draft.target} from {place}.')}  # say for whom, and what for\n"


def _source(draft: Draft) -> str:
    if draft.source is None:
        return "source:\n  csv:  # the path of a file in the project folder; or parquet: PATH, or sql: {query: ...}\n"
    csv = draft.source.csv
    if csv is None or not csv.options:
        return f"source: {_flow(draft.source.model_dump(mode='json', exclude_none=True, exclude_defaults=True))}\n"
    lines = [f"    {name}: {_yaml(value)}{_comment(draft.why.get(name))}" for name, value in csv.options.items()]
    return "\n".join(["source:", "  csv:", f"    path: {_yaml(csv.path)}", *lines, ""])


def _target(draft: Draft) -> str:
    if draft.target is None:
        return " # the column to predict"
    if not draft.order:
        return _yaml(draft.target)
    return f"{_flow({'column': draft.target, 'order': list(draft.order)})}  # the classes, lowest first"


def _columns(draft: Draft) -> list[str]:
    """Return the lines of the section; what is not known is a comment with an explanation."""
    together = "all rows of one value are in the same split"
    lines = [f"  id: {_flow(list(draft.id))}{_comment('identifies a row: never a feature' if draft.id else None)}"]
    if draft.group is not None:
        lines.append(f"  group: {_yaml(draft.group)}  # {together}")
    else:
        lines.append(f"  group: null  # name what repeats, such as a patient: {together}")
    order = "train rows are before validation rows, and those before test rows"
    lines.append(f"  time: null  # {f'or {_yaml(draft.times[0])}: ' if draft.times else ''}{order}")
    lines.append("  weight: null  # sample weights, such as those of a survey")
    late = "such as values that are not known at prediction time"
    why = "; ".join(f"{name} {rule}" for name, rule in draft.drop.items())
    drop = _flow(list(draft.drop))
    lines.append(f"  drop: {drop}{_comment(why or f'columns that are no features, {late}')}")
    if draft.dates:
        lines.append(f"  dates: {_flow(draft.dates)}  # the form of dates that can be read in several ways")
    if draft.missing:
        lines.append("  # Cells among numbers or dates: check that they mean a missing value.")
        lines.append(f"  missing: {_flow({name: list(words) for name, words in draft.missing.items()})}")
    return lines


def _comment(text: str | None) -> str:
    return f"  # {readable(' '.join(text.split()))[:_LONGEST]}" if text else ""


def _yaml(value: Any) -> str:
    """Return a scalar: plain if every parser reads it as this text, otherwise quoted."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and not _SPECIAL.fullmatch(value):
        return value
    # JSON is valid YAML; a line separator of Unicode would end the line.
    return json.dumps(value, ensure_ascii=isinstance(value, str) and not value.isprintable())


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_yaml(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return _yaml(value)
