"""`e2i experiment remove`: what it retires, what it keeps, and how an experiment comes back."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
from click.testing import Result
from finished_project import PLAIN

from e2i_assets.cli.dagster_home import dagster_instance
from e2i_assets.defs.namespace import EXPERIMENTS
from e2i_assets.services.project import Project
from e2i_assets.services.register import registered
from e2i_assets.services.run_lock import run_lock

RunCli = Callable[..., Result]
Written = Callable[..., Path]


def champions(project: Project) -> list[bool]:
    with project.database.connect() as connection:
        return list(connection.exec_driver_sql("SELECT is_champion FROM ml_model_registry").scalars())


def test_a_removed_experiment_is_in_use_nowhere_and_continues_when_its_file_is_back(
    run_cli: RunCli, finished: Project, written: Written
) -> None:
    file = written("plain", PLAIN)
    registered(finished, ["plain"])
    with dagster_instance(finished.settings) as instance:
        instance.add_dynamic_partitions(EXPERIMENTS, ["plain", "other"])
        with finished.database.advisory_lock(run_lock("plain")):
            busy = run_cli("experiment", "remove", "plain", "--yes")
        assert (busy.exit_code, file.is_file()) == (1, True)
        assert "a run of plain is in progress" in busy.stderr

        answer = run_cli("experiment", "remove", "plain", "--yes", "--json")
        assert answer.exit_code == 0, answer.output
        removed = json.loads(answer.stdout)
        assert instance.get_dynamic_partitions(EXPERIMENTS) == ["other"]
        (seen,) = instance.fetch_observations(dg.AssetKey("champion_model"), limit=5).records
        assert (seen.partition_key, seen.asset_observation.metadata["status"].value[:7]) == ("plain", "retired")
    kept = Path(removed["file"])
    assert (removed["experiment"], removed["aliases"], file.exists()) == ("plain", "moved", False)
    assert kept.read_text() == PLAIN
    assert champions(finished) == [False]
    assert finished.tracker().champion("e2i_plain") is None
    assert [run.status for run in finished.training_runs.links()] == ["finished"]

    assert "there is nothing to do" in run_cli("experiment", "remove", "plain", "--yes").stdout
    asked = run_cli("check", "plain")
    assert (asked.exit_code, "plain is retired since" in asked.stderr) == (2, True)

    kept.rename(file)
    registered(finished, ["plain"])
    assert champions(finished) == [True]
    assert run_cli("check", "plain").exit_code == 0


def test_what_does_not_exist_is_an_error_in_plain_words(run_cli: RunCli, project: Project, written: Written) -> None:
    written("churn")
    answer = run_cli("experiment", "remove", "chrun", "--yes")
    assert answer.exit_code == 1
    assert "there is no experiment 'chrun'; did you mean 'churn'?" in answer.stderr
    assert "e2i_assets." not in answer.output


def test_a_file_that_was_never_registered_or_is_not_valid_can_be_removed(
    run_cli: RunCli, project: Project, written: Written
) -> None:
    file = written("bad", "name: [")
    answer = run_cli("experiment", "remove", "bad")
    assert (answer.exit_code, file.exists()) == (0, False)
    assert "Its file is now .e2i/removed/bad-" in answer.stdout
    assert project.experiments.list(retired_too=True) == []


def test_on_a_terminal_it_asks(project: Project, written: Written) -> None:
    file = written("churn")
    outer, inner = pty.openpty()
    command = [sys.executable, "-m", "e2i_assets.cli.main", "experiment", "remove", "churn"]
    process = subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, env={**os.environ})
    os.close(inner)
    shown = b""
    while b"[y/N]:" not in shown:
        shown += os.read(outer, 4096)
    os.write(outer, b"n\n")
    assert process.wait(60) == 1
    os.close(outer)
    assert b"its file experiments/churn.yaml moves to the state folder" in shown.replace(b"\r\n", b"")
    assert file.exists()


def test_check_leaves_out_an_experiment_whose_file_is_gone(
    run_cli: RunCli, finished: Project, written: Written
) -> None:
    file = written("plain", PLAIN)
    registered(finished, ["plain"])
    file.unlink()
    answer = run_cli("check")
    assert answer.exit_code == 2
    assert "plain is left out, its file is gone: `e2i experiment remove plain` retires it." in answer.stderr
