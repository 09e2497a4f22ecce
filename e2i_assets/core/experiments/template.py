"""The file that a new experiment begins with: valid as it stands but for the columns, and explained line by line."""

import json

from e2i_assets.core import metrics
from e2i_assets.core.algorithms import registry
from e2i_assets.core.errors import E2iError
from e2i_assets.core.metrics import PROBLEM_TYPES, ProblemType
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
  What is predicted, and for whom?
# A team, or the e-mail address of a person.
owner: {owner}

# Exactly one of: csv, parquet (paths inside the project folder), sql, sample.
source:
  {source}
  # sql:
  #   query: SELECT * FROM visits ORDER BY visit_id
  #   url_env: E2I_SOURCE_URL  # the environment variable that holds the address

# The column to predict. To cut classes out of a numeric column:
# target: {{name: long_stay, column: days, bins: [7], labels: ["up to a week", "longer"]}}
target: {target}
problem_type: {problem_type}  # or {other_types}

columns:
  # Rows with one value here never get into two roles: name what repeats, such as a person.
  group: null
  # With a time column train is before validation, and validation before test.
  time: null
  # Identifiers: never features.
  id: []
  # Never features: above all what is known only after the moment of prediction.
  drop: []
  # Numeric codes that mean categories.
  categorical: []

algorithm: {algorithm}  # {other_algorithms}
metric: {metric}  # {other_metrics}

# Changes to the search space of {algorithm}: put lines like its own, which follow, in the place of {{}}.
# One key of a line is enough, such as {first}: {{high: 10}}, and null takes a parameter out of the search.
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

# Thresholds on the test rows; minimum_ and maximum_ say the direction.
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
        name: Of the experiment; it is not judged here.
        algorithm: One of the registry.
        problem_type: None takes the first that the algorithm can do.
        owner: A team or an e-mail address.
        source: The source as one line of YAML.
        target: The column to predict.
        schema: Where an editor finds the JSON Schema, from the folder of the file.

    Raises:
        E2iError: There is no such algorithm or problem type, or the two do not go together.
    """
    if algorithm not in registry.names():
        raise E2iError(f"algorithm {algorithm!r} {not_one_of(algorithm, registry.names())}")
    able = registry.algorithm(algorithm).problem_types
    chosen = problem_type or able[0]
    if chosen not in able:
        raise E2iError(f"problem type {chosen!r} {not_one_of(chosen, able)} ({algorithm} does these)")
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
        other_metrics="or " + ", ".join(one for one in metrics.names(chosen) if one != own),
        first=next(iter(registry.algorithm(algorithm).space)),
        space=_space_comment(algorithm),
        criterion=_CRITERIA[chosen],
    )


def _space_comment(algorithm: str) -> str:
    """Show the default space as the lines that a person would uncomment and change."""
    lines = []
    for name, definition in registry.algorithm(algorithm).space.items():
        # JSON is YAML, and one line of it reads like the examples in the manual.
        lines.append(f"#   {name}: {json.dumps(definition)}")
    return "\n".join(lines)
