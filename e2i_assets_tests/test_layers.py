"""The dependencies between the layers, enforced by the lint, and the order of the modules in core."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "e2i_assets" / "core"

# The order of the data flow. A module that is not listed may be anywhere that its imports allow.
ORDER = [
    "errors", "content_hash", "metrics", "search_space", "contracts", "algorithms", "evaluation", "experiments",
    "fitting", "data", "search", "memory", "training", "report",
]  # fmt: skip

# Each layer with the layers that it may not import. `definitions` and `defs` belong together.
ABOVE = {
    "core": ["adapters", "services", "defs", "cli", "api", "definitions"],
    "adapters": ["services", "defs", "cli", "api", "definitions"],
    "services": ["defs", "cli", "api", "definitions"],
    "defs": ["cli", "api", "definitions"],
    "cli": ["defs", "api", "definitions"],
    "api": ["defs", "cli", "definitions"],
}
# The ways to write the same import.
SPELLINGS = [
    "import e2i_assets.{layer}\n\nprint(e2i_assets.{layer})\n",
    "from e2i_assets import {layer}\n\nprint({layer})\n",
    "from e2i_assets.{layer} import anything\n\nprint(anything)\n",
    "def use():\n    from e2i_assets.{layer} import anything\n\n    return anything\n",
]
OUTSIDE = [
    ("core", "import dagster as dg\n\nprint(dg)\n"),
    ("core/algorithms", "import dagster as dg\n\nprint(dg)\n"),
    ("core", "from mlflow.tracking import MlflowClient\n\nprint(MlflowClient)\n"),
    ("core", "import sqlalchemy as sa\n\nprint(sa)\n"),
    ("core", "import psycopg2\n\nprint(psycopg2)\n"),
    ("core", "def trace():\n    from opentelemetry import trace\n\n    return trace\n"),
    ("core", "import os\n\nprint(os.environ)\n"),
    ("core", "from os import getenv\n\nprint(getenv)\n"),
    ("adapters", "import dagster as dg\n\nprint(dg)\n"),
    ("services", "import dagster as dg\n\nprint(dg)\n"),
    ("services/checks", "import dagster as dg\n\nprint(dg)\n"),
    ("services/checks", "import sqlalchemy as sa\n\nprint(sa)\n"),
    ("api", "import dagster as dg\n\nprint(dg)\n"),
    ("api", "import sqlalchemy as sa\n\nprint(sa)\n"),
    ("services", "import psycopg2\n\nprint(psycopg2)\n"),
]

ALLOWED = [
    ("core/planted.py", "from e2i_assets.core.errors import E2iError\n\nprint(E2iError)\n"),
    ("adapters/planted.py", "import os\n\nimport sqlalchemy as sa\n\nprint(os.environ, sa)\n"),
    ("adapters/postgres/schema_preparation.py", "import dagster as dg\n\nprint(dg)\n"),
    ("services/planted.py", "from e2i_assets.adapters import settings\n\nprint(settings)\n"),
    ("defs/planted.py", "import dagster as dg\n\nfrom e2i_assets.services import train\n\nprint(dg, train)\n"),
    ("cli/planted.py", "from e2i_assets.services import train\n\nprint(train)\n"),
    ("api/planted.py", "from e2i_assets.services import train\n\nprint(train)\n"),
    ("cli/run_one.py", "from e2i_assets.definitions import defs\n\nprint(defs)\n"),
]

HEAVY = ["mlflow", "sklearn", "xgboost", "lightgbm", "matplotlib", "optuna", "statsmodels", "pandera", "imblearn"]


def complaints(place: str, code: str) -> str:
    """Return the messages of the project's lint for code at a path of the package, without writing the file."""
    ruff = Path(sys.executable).with_name("ruff")
    name = str(Path("e2i_assets") / place)
    command = [ruff, "check", "--output-format", "concise", "--no-cache", "--stdin-filename", name, "-"]
    return subprocess.run(command, input=code, capture_output=True, text=True, cwd=ROOT, check=False).stdout


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(("layer", "above"), [(layer, above) for layer in ABOVE for above in ABOVE[layer]])
def test_the_lint_refuses_an_import_of_a_layer_above(layer: str, above: str, spelling: str) -> None:
    assert "TID251" in complaints(f"{layer}/planted.py", spelling.format(layer=above))


@pytest.mark.parametrize(("layer", "code"), OUTSIDE)
def test_the_lint_refuses_a_library_that_a_layer_may_not_import(layer: str, code: str) -> None:
    assert "TID251" in complaints(f"{layer}/planted.py", code)


def test_the_lint_refuses_the_command_line_in_the_definitions() -> None:
    assert "TID251" in complaints("definitions.py", "from e2i_assets.cli.main import main\n\nprint(main)\n")


@pytest.mark.parametrize(("place", "code"), ALLOWED)
def test_the_lint_allows_an_import_along_the_arrows(place: str, code: str) -> None:
    assert complaints(place, code) == "All checks passed!\n"


@pytest.mark.parametrize("layer", list(ABOVE))
@pytest.mark.parametrize("library", HEAVY)
def test_the_lint_refuses_a_heavy_library_at_module_level(layer: str, library: str) -> None:
    at_module_level = f"import {library}\n\nprint({library})\n"
    inside = f"def use():\n    import {library}\n\n    return {library}\n"
    assert "TID253" in complaints(f"{layer}/planted.py", at_module_level)
    assert "TID253" not in complaints(f"{layer}/planted.py", inside)


def core_imports(path: Path) -> set[str]:
    """Return the other modules of core that a file imports; a subpackage counts as one module."""
    own = path.relative_to(CORE).parts[0].removesuffix(".py")
    return set(imported_from_core(ast.parse(path.read_text()))) - {own}


def imported_from_core(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "e2i_assets.core":
            names = [f"e2i_assets.core.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        yield from (name.split(".")[2] for name in names if name.startswith("e2i_assets.core."))


def import_graph() -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {}
    for path in CORE.rglob("*.py"):
        module = path.relative_to(CORE).parts[0].removesuffix(".py")
        graph.setdefault(module, set()).update(core_imports(path))
    return graph


def reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    """Return all modules that a module imports, directly or indirectly."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for needed in graph.get(waiting.pop(), set()) - found:
            found.add(needed)
            waiting.append(needed)
    return found


def against_the_order(graph: dict[str, set[str]]) -> list[str]:
    """Return the modules that import a later module, or indirectly themselves."""
    wrong = []
    for module in sorted(graph):
        needs = reachable(graph, module)
        if module in needs:
            wrong.append(f"{module} needs itself, through what it imports")
        elif module in ORDER:
            later = sorted(needs & set(ORDER[ORDER.index(module) + 1 :]))
            wrong += [f"{module} needs {name}, which stands after it" for name in later]
    return wrong


def test_a_module_of_core_imports_only_earlier_modules() -> None:
    assert against_the_order(import_graph()) == []


def test_direct_and_indirect_imports_against_the_order_are_found() -> None:
    assert against_the_order({"metrics": {"report"}}) == ["metrics needs report, which stands after it"]
    assert against_the_order({"data": {"rows"}, "rows": {"search"}}) == ["data needs search, which stands after it"]


def test_a_circular_import_is_found() -> None:
    circle = {"a": {"b"}, "b": {"a"}}
    assert against_the_order(circle) == [f"{name} needs itself, through what it imports" for name in "ab"]


def test_one_module_imports_private_modules_of_dagster_and_none_queries_its_tables() -> None:
    private = re.compile(r"^\s*(?:from|import) dagster\w*\._", re.MULTILINE)
    tables = re.compile(r"(?:FROM|INTO|UPDATE|JOIN|TABLE) dagster\.[a-z]", re.IGNORECASE)
    sources = {path.relative_to(ROOT): path.read_text() for path in (ROOT / "e2i_assets").rglob("*.py")}
    assert [path.name for path, text in sources.items() if private.search(text)] == ["dagster_internals.py"]
    statements = {path.name: path.read_text() for path in (ROOT / "sql").glob("*.sql")}
    assert [path for path, text in {**sources, **statements}.items() if tables.search(text)] == []


def test_the_modules_of_defs_import_each_other_in_one_direction() -> None:
    folder = ROOT / "e2i_assets" / "defs"
    pattern = re.compile(r"from e2i_assets\.defs(?:\.(\w+))? import ([\w, ]+)")
    graph = {
        path.stem: {
            name
            for module, names in pattern.findall(path.read_text())
            for name in ([module] if module else names.split(", "))
        }
        for path in folder.glob("*.py")
    }
    assert {"io_managers", "jobs"} <= graph.keys()
    assert [name for name in sorted(graph) if name in reachable(graph, name)] == []
