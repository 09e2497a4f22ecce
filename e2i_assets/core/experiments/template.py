"""The template of a new experiment file: valid except for the columns, with a comment for each key."""

import json

from e2i_assets.core import metrics
from e2i_assets.core.algorithms import registry
from e2i_assets.core.errors import E2iError
from e2i_assets.core.metrics import OF_ORDER, PROBLEM_TYPES, ProblemType
from e2i_assets.core.suggestions import not_one_of

_CRITERIA = {
    "binary_classification": "roc_auc: 0.7",
    "multiclass_classification": "f1_weighted: 0.6",
    "regression": "r2: 0.1",
}

_TEMPLATE = """\
# yaml-language-server: $schema={schema}
# Check this file with: e2i experiment validate {name}

name: {name}
description: >-
  What does the model predict, and for whom?
# A team, or the e-mail address of a person.
owner: {owner}

# Exactly one of: csv, parquet (paths inside the project folder), sql, sample.
source:
  {source}
  # sql:
  #   query: SELECT * FROM visits ORDER BY visit_id
  #   url_env: E2I_SOURCE_URL  # the environment variable that contains the URL of the database

# The column to predict. To cut classes out of a numeric column:
# target: {{name: long_stay, column: days, bins: [7], labels: ["up to a week", "longer"]}}
# Labels with an order, such as grades: target: {{column: grade, order: [low, mid, high]}}
target: {target}
problem_type: {problem_type}  # or {other_types}

columns:
  # All rows with the same value in this column are in the same split: name what repeats, such as a patient id.
  group: null
  # With a time column, all train rows are before the validation rows, and those before the test rows.
  time: null
  # Identifiers: never features.
  id: []
  # Columns that must not be features, above all values that are not known at prediction time.
  drop: []
  # Columns whose numbers are codes of categories.
  categorical: []
  # Whole numbers that are measurements, although they look like identifiers or dates.
  numeric: []
  # Dates that are written as numbers, or a mapping to their form: {{visit: "%d/%m/%Y"}}. ISO dates need no entry.
  dates: []

algorithm: {algorithm}  # {other_algorithms}
metric: {metric}  # {other_metrics}

# Changes to the search space of {algorithm}. Replace {{}} by lines such as those below (its default space).
# A line may contain only the keys that change, such as {first}: {{high: 10}}.
# null removes a parameter from the search.
search_space: {{}}
{space}
# Parameters that are not searched.
fixed: {{}}

hpo:
  trials: 100
  timeout_hours: null  # no limit; 0.5 is half an hour

early_stopping:
  enabled: true
  patience: 10

# Thresholds for metrics on the test rows; the prefix minimum_ or maximum_ sets the direction.
success_criteria:
  {criterion}
"""


def template(
    name: str,
    algorithm: str = "XGBoost",
    problem_type: ProblemType | None = None,
    owner: str = "team:my-team",
    source: str = "csv: data/rows.csv",
    target: str = "my_target",
    schema: str = "../docs/experiment.schema.json",
) -> str:
    """Return the text of a new experiment file.

    Args:
        name: The name of the experiment; it is not validated here.
        algorithm: The name of an algorithm of the registry.
        problem_type: None selects the first problem type of the algorithm.
        owner: A team or an e-mail address.
        source: The source as one line of YAML.
        target: The column to predict.
        schema: The path of the JSON Schema, relative to the folder of the file.

    Raises:
        E2iError: The algorithm or the problem type does not exist, or the algorithm does not support the problem type.
    """
    if algorithm not in registry.names():
        raise E2iError(f"algorithm {algorithm!r} {not_one_of(algorithm, registry.names())}")
    able = registry.algorithm(algorithm).problem_types
    chosen = problem_type or able[0]
    if chosen not in able:
        raise E2iError(f"problem type {chosen!r} {not_one_of(chosen, able)}, the problem types of {algorithm}")
    own = metrics.default_metric(chosen)
    return _TEMPLATE.format(
        name=name,
        owner=owner,
        source=source,
        target=target,
        schema=schema,
        problem_type=chosen,
        other_types=", ".join(one for one in PROBLEM_TYPES if one != chosen),
        algorithm=algorithm,
        other_algorithms="or " + ", ".join(one for one in registry.names() if one != algorithm),
        metric=own,
        other_metrics="or " + ", ".join(one for one in metrics.names(chosen) if one not in {own, *OF_ORDER}),
        first=next(iter(registry.algorithm(algorithm).space)),
        space=_space_comment(algorithm),
        criterion=_CRITERIA[chosen],
    )


def _space_comment(algorithm: str) -> str:
    """Return the default space as comment lines to uncomment and change."""
    lines = []
    for name, definition in registry.algorithm(algorithm).space.items():
        # JSON is valid YAML, and one line of it looks like the examples in the documentation.
        lines.append(f"#   {name}: {json.dumps(definition)}")
    return "\n".join(lines)
