"""`e2i report`: the path of the report on one line, or what to do if there is none."""

from collections.abc import Callable
from pathlib import Path

from click.testing import Result
from finished_project import PLAIN, made

from e2i_assets.services.project import Project

RunCli = Callable[..., Result]


def test_report_prints_the_path_or_what_to_do(project: Project, run_cli: RunCli) -> None:
    early = run_cli("report", "plain")
    assert early.exit_code == 1
    assert "plain has not been trained yet, so there is no report: e2i run plain" in early.output
    made(project)
    shown = run_cli("report", "plain")
    assert shown.exit_code == 0
    path = Path(shown.stdout.removesuffix("\n"))
    assert "Intended use and limits" in path.read_text()
    assert path.is_relative_to(project.settings.state / "reports" / "plain")
    (project.settings.experiments / "plain.yaml").parent.mkdir(exist_ok=True)
    (project.settings.experiments / "plain.yaml").write_text(PLAIN)
    assert "there is no experiment 'plan'; did you mean 'plain'?" in run_cli("report", "plan").output
    path.unlink()
    gone = run_cli("report", "plain")
    assert gone.exit_code == 1
    assert "materialise trained_model of the partition plain" in " ".join(gone.output.split())
