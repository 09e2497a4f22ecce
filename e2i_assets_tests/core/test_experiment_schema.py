import itertools
from pathlib import Path
from typing import Any

import pytest

from e2i_assets.core.algorithms import registry
from e2i_assets.core.errors import E2iError, ExperimentInvalid
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.core.experiments.schema import json_schema, json_schema_text
from e2i_assets.core.experiments.source_section import CsvFile, Source
from e2i_assets.core.experiments.template import Draft, template
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
    one, several = properties["algorithm"]["anyOf"]
    assert (one["enum"], several["items"]["enum"]) == ([*registry.names(), "auto"], list(registry.names()))
    assert {"roc_auc", "rmse", "f1_weighted"} <= set(properties["metric"]["anyOf"][0]["enum"])
    assert {"minimum_auc", "maximum_rmse"} <= set(properties["success_criteria"]["propertyNames"]["anyOf"][0]["enum"])
    assert {"type": "string"} in properties["target"]["anyOf"]
    assert schema["additionalProperties"] is False
    assert all(part["additionalProperties"] is False for part in schema["$defs"].values())
    assert properties["problem_type"]["enum"] == list(PROBLEM_TYPES)


def draft(**known: Any) -> Draft:
    return Draft(**{"name": "my_problem", "owner": "team:a", "source": Source(csv="a.csv"), "target": "y", **known})


PAIRS = [(name, one) for name, one in itertools.product(registry.installed(), PROBLEM_TYPES)]


@pytest.mark.parametrize(
    ("algorithm", "problem_type"), [pair for pair in PAIRS if pair[1] in registry.algorithm(pair[0]).problem_types]
)
def test_a_generated_file_is_valid_unchanged(algorithm: str, problem_type: object) -> None:
    assert problem_type in PROBLEM_TYPES
    text = template(draft(algorithm=algorithm, problem_type=problem_type))
    experiment = parse_experiment(text, "new.yaml")
    assert (experiment.name, experiment.algorithm, experiment.problem_type) == ("my_problem", algorithm, problem_type)
    assert max(map(len, text.splitlines())) <= 120


def test_a_generated_file_without_rows_has_blanks_that_are_mistakes() -> None:
    with pytest.raises(ExperimentInvalid) as caught:
        parse_experiment(template(Draft("my_problem", "team:a")), "new.yaml")
    assert [str(one) for one in caught.value.violations] == [
        "source: nothing is filled in yet: write exactly one of sample, csv, parquet, sql",
        "target: nothing is filled in yet: this key needs a value",
        "problem_type: nothing is filled in yet: this key needs a value",
    ]


@pytest.mark.parametrize(
    "name",
    ["yes", "No", "null", "1", "2024-01-01", "a: b", "a #b", "it's", '"x"', "- a", "{a}", "[a]", "*a", "ä, ö", "a\nb",
     "~", "a:", "@x", "%", "!t", "&a", "x\ty", " a", "a\u2028b", "a,b", "?"],
)  # fmt: skip
def test_any_name_of_a_column_survives_in_a_generated_file(name: str) -> None:
    made = draft(
        target=name,
        problem_type="binary_classification",
        positive_label=name,
        id=(f"{name}1",),
        group=f"{name}2",
        times=(f"{name}3",),
        missing={f"{name}4": (name, "unknown")},
        drop={f"{name}5": f"contains {name!r}"},
        source=Source(csv=CsvFile(path=f"data/{name}.csv".replace("\0", ""), encoding="cp1252")),
        why={"encoding": f"check {name!r}"},
    )
    experiment = parse_experiment(template(made), "new.yaml")
    columns = experiment.columns
    assert (experiment.target.column, experiment.positive_label) == (name, name)
    assert (columns.id, columns.group, columns.drop) == ((f"{name}1",), f"{name}2", (f"{name}5",))
    assert columns.missing == {f"{name}4": (name, "unknown")}


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
        template(draft(algorithm=algorithm, problem_type=problem_type))
