import itertools
from pathlib import Path

import pytest
import yaml

from e2i_assets.core.algorithms import registry
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.core.experiments.schema import json_schema, json_schema_text
from e2i_assets.core.experiments.template import template
from e2i_assets.core.metrics import PROBLEM_TYPES

ROOT = Path(__file__).parents[2]


def test_the_schema_for_editors_matches_the_code() -> None:
    stored = (ROOT / "docs" / "experiment.schema.json").read_text(encoding="utf-8")
    write = "from e2i_assets.core.experiments.schema import json_schema_text; print(json_schema_text(), end='')"
    assert stored == json_schema_text(), f'write it anew: python -c "{write}" > docs/experiment.schema.json'


def test_the_schema_has_every_key_and_every_closed_set_of_values() -> None:
    schema = json_schema()
    properties = schema["properties"]
    assert set(schema["required"]) == {"name", "owner", "source", "target", "problem_type", "algorithm"}
    assert properties["algorithm"]["enum"] == list(registry.names())
    assert {"roc_auc", "rmse", "f1_weighted"} <= set(properties["metric"]["enum"])
    assert {"minimum_auc", "maximum_rmse"} <= set(properties["success_criteria"]["propertyNames"]["enum"])
    assert {"type": "string"} in properties["target"]["anyOf"]
    assert schema["additionalProperties"] is False
    assert all(part["additionalProperties"] is False for part in schema["$defs"].values())
    assert properties["problem_type"]["enum"] == list(PROBLEM_TYPES)


PAIRS = [(name, one) for name, one in itertools.product(registry.names(), PROBLEM_TYPES)]


@pytest.mark.parametrize(
    ("algorithm", "problem_type"), [pair for pair in PAIRS if pair[1] in registry.algorithm(pair[0]).problem_types]
)
def test_a_generated_file_is_valid_unchanged(algorithm: str, problem_type: object) -> None:
    assert problem_type in PROBLEM_TYPES
    text = template("my_problem", algorithm, problem_type)
    experiment = parse_experiment(text, "new.yaml")
    assert (experiment.name, experiment.algorithm, experiment.problem_type) == ("my_problem", algorithm, problem_type)
    assert experiment.hpo.trials == 100
    assert max(map(len, text.splitlines())) <= 120


def test_the_commented_lines_of_a_generated_file_can_be_enabled() -> None:
    text = template("my_problem", "LogisticRegression")
    offered = text.replace("search_space: {}\n", "search_space:\n").replace("\n#   ", "\n  ")
    assert set(yaml.safe_load(offered)["search_space"]) == {"C", "solver", "penalty", "l1_ratio"}
    plain = parse_experiment(text, "new.yaml").search_space()
    assert parse_experiment(offered, "new.yaml").search_space() == plain


@pytest.mark.parametrize(
    ("algorithm", "problem_type", "expected"),
    [
        ("XGBost", None, "algorithm 'XGBost' is not one of .* did you mean 'XGBoost'"),
        ("Ridge", "binary_classification", "problem type 'binary_classification' is not one of regression"),
    ],
)
def test_a_file_that_could_not_run_is_not_generated(algorithm: str, problem_type: object, expected: str) -> None:
    assert problem_type is None or problem_type in PROBLEM_TYPES
    with pytest.raises(E2iError, match=expected):
        template("my_problem", algorithm, problem_type)
