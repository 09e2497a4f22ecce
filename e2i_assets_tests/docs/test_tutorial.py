"""The tutorial from beginning to end: each file is written and each command is run, in order."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from served_product import environment, project_folder
from snippets import REPOSITORY, Snippet, snippets

pytestmark = [pytest.mark.tutorial, pytest.mark.timeout(1800)]

# Commands with separate tests: the installation, and the server that runs until Ctrl-C.
ELSEWHERE = ("make install", ".venv/bin/e2i up")


def steps() -> list[Snippet]:
    return [one for one in snippets(REPOSITORY / "docs" / "tutorial.md") if one.language in ("sh", "yaml", "python")]


def run_line(line: str, folder: Path) -> str:
    ended = subprocess.run(
        ["sh", "-ec", line],
        cwd=folder,
        env=environment(folder),
        text=True,
        capture_output=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, f"{line}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


def test_the_commands_of_the_tutorial_give_the_described_results() -> None:
    outputs: dict[str, str] = {}
    began = time.monotonic()
    with project_folder() as folder:
        (folder / ".venv" / "bin").mkdir(parents=True)
        for program in ("python", "e2i"):
            # A script and not a link: a Python started by a link does not find its virtual environment.
            script = folder / ".venv" / "bin" / program
            script.write_text(f'#!/bin/sh\nexec "{Path(sys.executable).with_name(program)}" "$@"\n')
            script.chmod(0o755)
        for step in steps():
            if step.file:
                (folder / step.file).write_text(step.text)
                continue
            for line in step.lines:
                if line not in ELSEWHERE:
                    outputs[line] = outputs.get(line, "") + run_line(line, folder)
        report = Path(outputs[".venv/bin/e2i report readmission"].strip())
        page = report.read_text()
    print(f"The tutorial took {time.monotonic() - began:.0f} s on {os.cpu_count()} cores.")
    assert "30 trials" in page
    assert "For new values of patient" in page
    assert "All 2 success criteria are met." in page
    assert "readmission" in outputs[".venv/bin/e2i run readmission"]
    assert any(line.endswith('training_run_links"') and "readmission" in text for line, text in outputs.items())
    assert "holdout rows of readmission" in outputs['.venv/bin/e2i holdout readmission --why "before the pilot"']
    scored = outputs[".venv/bin/e2i predict readmission --csv data/tomorrow.csv --out scored.csv --explain"]
    assert "ward: 1 rows have a category that is new to the model: 'neurology'" in scored
    of_most_risk = outputs[".venv/bin/python score.py"].strip().splitlines()[-1]
    assert of_most_risk.split()[1] == "2000"
    assert "visits_last_year = 5" in of_most_risk or "age = 83" in of_most_risk
