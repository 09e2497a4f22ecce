"""Checks of the repository as a whole: the lock, the wheel, the documented settings, the contents of files."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import licences
import pytest

ROOT = Path(__file__).resolve().parent.parent


def script(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, path, *arguments], capture_output=True, text=True, check=False)


def test_the_lock_is_up_to_date_with_the_dependencies() -> None:
    assert script(ROOT / "scripts" / "lock.py", "--check").returncode == 0


def test_a_new_dependency_makes_the_lock_stale_and_another_setting_does_not(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "requirements.lock", "deploy/requirements.lock", "scripts/lock.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    settings = (ROOT / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(settings.replace("line-length = 120", "line-length = 100"))
    assert script(tmp_path / "scripts" / "lock.py", "--check").returncode == 0
    (tmp_path / "pyproject.toml").write_text(settings.replace("dependencies = [", 'dependencies = ["tenacity",', 1))
    stale = script(tmp_path / "scripts" / "lock.py", "--check")
    assert stale.returncode == 1
    assert "make lock" in stale.stderr


def test_every_locked_package_has_an_allowed_licence() -> None:
    checked = script(ROOT / "scripts" / "licences.py")
    assert (checked.stdout, checked.stderr, checked.returncode) == ("", "", 0)


@pytest.mark.parametrize(
    ("licence", "permissive"),
    [
        ("MIT", True),
        ("MPL-2.0", False),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT License AND Apache Software License", True),
        ("GNU Library or Lesser General Public License (LGPL)", False),
        ("Proprietary", False),
        ("", False),
    ],
)
def test_a_licence_is_permissive_when_one_of_its_choices_is(licence: str, permissive: bool) -> None:
    assert licences.is_permissive(licences.spelled(licence)) is permissive


def test_a_package_without_a_licence_and_a_stale_exception_are_found() -> None:
    locked = [name for name in licences.locked(ROOT / "requirements.lock") if name != "certifi"]
    found = list(licences.findings([*locked, "no-such-package"]))
    assert len(found) == 2
    assert found[0].startswith("no-such-package: it says nothing of its licence")
    assert found[1].startswith("certifi: it is not in the lock any more")


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def test_every_library_that_the_package_imports_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for extra in project["optional-dependencies"].values() for line in extra]
    declared = {re.split(r"[^\w-]", line)[0].replace("_", "-") for line in [*project["dependencies"], *extras]}
    declared |= {"pydantic-core"}  # a part of pydantic, which pins it exactly
    sources = [path.read_text() for path in (ROOT / "e2i_assets").rglob("*.py")]
    libraries = {name.split(".")[0] for source in sources for name in imported(ast.parse(source))}
    distributions = packages_distributions()
    undeclared = {
        library
        for library in libraries - sys.stdlib_module_names - {"e2i_assets"}
        if declared.isdisjoint(name.lower().replace("_", "-") for name in distributions.get(library, [library]))
    }
    assert undeclared == set()


def test_every_package_in_the_lock_has_a_hash_and_none_has_an_address() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    packages = re.findall(r"^\S+==.*\\\n    --hash=sha256:", lock, re.MULTILINE)
    assert len(packages) == len(re.findall(r"^[a-z0-9]", lock, re.MULTILINE)) > 100
    assert "://" not in lock


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    checked = script(ROOT / "scripts" / "check_tree.py")
    assert (checked.stdout, checked.returncode) == ("", 0)


@pytest.mark.parametrize(
    "line",
    [
        "see https://" + "pypi" + ".org/project/x",
        "index-url = https:" + "//mirror.example/simple",
        "data = '/" + "home/ada/rows.csv'",
        "cd /" + "root/project",
    ],
)
def test_the_check_of_the_tree_finds_a_planted_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "notes.md").write_text(f"fine\n{line}\n")
    checked = script(ROOT / "scripts" / "check_tree.py", str(tmp_path))
    assert checked.returncode == 1
    assert checked.stdout.startswith("notes.md:2: ")


def test_the_wheel_has_the_files_that_the_program_needs_and_no_tests(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        inside = set(wheel.namelist())
    files = [ROOT / name for name in ("dagster.yaml", "workspace.yaml", ".env.example")]
    files += [path for folder in ("sql", "experiments") for path in (ROOT / folder).rglob("*") if path.is_file()]
    assert {f"e2i_assets/_project/{path.relative_to(ROOT)}" for path in files} <= inside
    assert "e2i_assets/core/errors.py" in inside
    assert not [name for name in inside if "tests" in name or name.endswith("ruff.toml")]


def test_every_variable_that_the_package_reads_is_documented() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "e2i_assets").rglob("*.py"))
    documented = (ROOT / ".env.example").read_text()
    undocumented = set(re.findall(r"\bE2I_[A-Z][A-Z_]*[A-Z]\b", code)) - set(re.findall(r"\bE2I_[A-Z_]+\b", documented))
    assert undocumented == set()


def test_the_workflow_runs_what_ci_runs_locally() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    local = (ROOT / ".ci" / "run").read_text()
    assert re.findall(r"- run: (.*)", workflow) == [".ci/run"]
    assert re.findall(r"^ *make ([\w-]+)", local, re.MULTILINE) == ["browser", "lint", "docs", "test"]


# A substitute for `make`: it prints the last line of pytest, and fails for the target in $FAILS.
MAKE = """#!/bin/sh
[ "$1" = test ] && echo "12 passed in 3.45s"
[ "$1" = lint ] && echo "a line of the lint"
[ "$1" != "$FAILS" ]
"""


@pytest.mark.parametrize("fails", ["nothing", "browser", "lint", "docs", "test"])
def test_ci_hides_no_failure_and_ends_with_the_closing_line_of_pytest(tmp_path: Path, fails: str) -> None:
    for name in ("make", "chromium"):
        (tmp_path / name).write_text(MAKE)
        (tmp_path / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "FAILS": fails}
    ended = subprocess.run([ROOT / ".ci" / "run"], env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode == 0) == (fails == "nothing")
    if fails != "browser":  # nothing can be tested without it
        assert "a line of the lint" in ended.stdout
        assert ended.stdout.endswith("12 passed in 3.45s\n")
