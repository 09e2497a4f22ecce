"""The JSON Schema of an experiment file, which editors use for completion and validation."""

import json
from typing import Any

from e2i_assets.core import metrics
from e2i_assets.core.algorithms import registry
from e2i_assets.core.evaluation.success_criteria import accepted_names
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.objective_rules import objective_names
from e2i_assets.core.experiments.values import AUTO
from e2i_assets.core.losses import PINBALL_NAME


def json_schema() -> dict[str, Any]:
    """Return the schema, with the allowed algorithm, metric and criterion names, which the model does not define."""
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Experiment.model_json_schema(),
    }
    properties = schema["properties"]
    kept = {name: properties["algorithm"][name] for name in ("description", "title") if name in properties["algorithm"]}
    one = {"enum": list(registry.names())}
    several = {"type": "array", "items": one, "minItems": 1, "uniqueItems": True}
    properties["algorithm"] = {"anyOf": [{"enum": [*one["enum"], AUTO]}, several], **kept}
    properties["metric"] |= _or_pinball_loss(metrics.names)
    properties["success_criteria"]["propertyNames"] = _or_pinball_loss(accepted_names, "(minimum_|maximum_)?")
    properties["success_criteria"]["additionalProperties"] = {"anyOf": [{"type": "number"}, {"type": "null"}]}
    properties["target"] = {
        "anyOf": [{"type": "string"}, {"$ref": "#/$defs/Target"}],
        "description": properties["target"]["description"],
    }
    dates = schema["$defs"]["Columns"]["properties"]["dates"]
    listed = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
    kept = {name: dates[name] for name in ("description", "title") if name in dates}
    schema["$defs"]["Columns"]["properties"]["dates"] = {"anyOf": [listed, dates], **kept}
    csv = schema["$defs"]["Source"]["properties"]["csv"]
    csv["anyOf"] = [{"type": "string"}, *csv["anyOf"]]
    search = schema["$defs"]["Hpo"]["properties"]
    further = {"enum": _in_all_problem_types(objective_names)}
    search["objectives"]["items"] = {"anyOf": [further, {"$ref": "#/$defs/FurtherObjective"}]}
    schema["$defs"]["FurtherObjective"]["properties"]["name"] |= further
    search["constraints"]["propertyNames"] = further
    search["constraints"]["additionalProperties"] = {"anyOf": [{"type": "number"}, {"$ref": "#/$defs/Constraint"}]}
    return schema


def json_schema_text() -> str:
    """Return the schema as the text of `docs/experiment.schema.json`."""
    return json.dumps(json_schema(), indent=2, sort_keys=True) + "\n"


def _or_pinball_loss(names: Any, prefix: str = "") -> dict[str, Any]:
    return {"anyOf": [{"enum": _in_all_problem_types(names)}, {"pattern": f"^{prefix}{PINBALL_NAME}$"}]}


def _in_all_problem_types(names: Any) -> list[str]:
    return list(dict.fromkeys(name for problem_type in metrics.PROBLEM_TYPES for name in names(problem_type)))
