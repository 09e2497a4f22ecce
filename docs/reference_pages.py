"""The reference, written from what is true: help of the commands, schemas, SQL, the environment's example."""

import json
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def write_reference(docs: Path) -> None:
    """Write the pages of the reference that are made, where they differ from what is there."""
    pages = {
        "commands": commands(),
        "experiment-file": experiment_file(),
        "contract": contract(),
        "tables": tables(),
        "environment": environment(),
    }
    folder = docs / "reference" / "made"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def commands() -> str:
    """Return what each command says of itself."""
    os.environ.update(TERM="dumb", NO_COLOR="1", COLUMNS="88")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # typer before 0.26, of a name that click will drop
        import typer
        from typer.testing import CliRunner

        from e2i_assets.cli.main import app
    said = []
    for words in _commands(typer.main.get_command(app), ()):
        shown = CliRunner().invoke(app, [*words, "--help"], prog_name="e2i").output
        text = "\n".join(line.rstrip() for line in shown.splitlines())
        said.append(f"## `{' '.join(('e2i', *words))}`\n\n```text\n{text.strip()}\n```\n")
    return "# Commands\n\n" + "\n".join(said)


def _commands(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command, those of a group before those in it."""
    yield words
    for name, one in getattr(command, "commands", {}).items():
        yield from _commands(one, (*words, name))


def experiment_file() -> str:
    """Return every key of an experiment file, from its JSON Schema."""
    schema = json.loads((ROOT / "docs" / "experiment.schema.json").read_text(encoding="utf-8"))
    rows = "\n".join(_rows(schema, schema, ""))
    head = "# The experiment file\n\nEvery key, as `docs/experiment.schema.json` has it."
    return f"{head}\n\n| key | is |\n|---|---|\n{rows}\n"


def contract() -> str:
    """Return the fields of the output contract, from its JSON Schema."""
    schema = json.loads((ROOT / "docs" / "contract.schema.json").read_text(encoding="utf-8"))
    said = ["# The output contract\n\nWhat `best_hyperparameters` and `trained_model` hand over, field by field.\n"]
    for name, definition in schema["$defs"].items():
        if "properties" in definition:
            rows = "\n".join(_rows(definition, schema, "", deep=False))
            said.append(f"## {name}\n\n| field | is |\n|---|---|\n{rows}\n")
    return "\n".join(said)


def tables() -> str:
    """Return the SQL that defines the tables."""
    said = ["# Tables\n\nThe schema `e2i`, as its numbered files define it, and nothing else does.\n"]
    for path in sorted((ROOT / "sql").glob("*.sql")):
        shown = f"```{{literalinclude}} ../../../sql/{path.name}\n:language: postgresql\n```"
        said.append(f"## {path.stem[4:].replace('_', ' ')}\n\n{shown}\n")
    return "\n".join(said)


def environment() -> str:
    """Return every variable, as the example has it."""
    return "# The environment\n\n```{literalinclude} ../../../.env.example\n:language: sh\n```\n"


def _rows(definition: Mapping[str, Any], schema: Mapping[str, Any], prefix: str, deep: bool = True) -> Iterator[str]:
    needed = set(definition.get("required", ()))
    for name, field in definition.get("properties", {}).items():
        inner = _resolved(field, schema)
        default = json.dumps(field["default"], ensure_ascii=False) if "default" in field else ""
        shown = "must be given" if name in needed else f"default `{default}`" if len(default) in range(1, 40) else ""
        said = str(field.get("description") or inner.get("description") or "").split("\n")[0]
        facts = "; ".join(one for one in (_kind(field, schema), _cell(shown)) if one)
        yield f"| `{prefix}{name}` | {_cell(said)} ({facts}) |"
        if deep and "properties" in inner:
            yield from _rows(inner, schema, f"{prefix}{name}.")


def _resolved(field: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the object that a field is, behind references and beside null."""
    for one in (field, *field.get("anyOf", ()), *field.get("allOf", ())):
        if "$ref" in one:
            found: Mapping[str, Any] = schema["$defs"][one["$ref"].rpartition("/")[2]]
            return found
    return field


def _kind(field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "enum" in field:
        return _cell(", ".join(f"`{one}`" for one in field["enum"]))
    if "const" in field:
        return f"`{field['const']}`"
    if "anyOf" in field:
        return _cell(" or ".join(dict.fromkeys(_kind(one, schema) for one in field["anyOf"])))
    if "$ref" in field:
        inner = _resolved(field, schema)
        return _kind(inner, schema) if "properties" not in inner else "a section"
    return {"array": "a list", "object": "a mapping", "string": "text", "null": "null"}.get(
        str(field.get("type")), str(field.get("type", "anything"))
    )


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").replace("<", "&lt;")
