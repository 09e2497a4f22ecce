"""`e2i report`: one path on one line where there is a report, and what to do where there is none."""

from collections.abc import Callable
from pathlib import Path

from click.testing import Result
from finished_project import PLAIN, made

from e2i_assets.services.project import Project

Said = Callable[..., Result]


def test_it_says_where_the_report_is_and_what_to_do_when_there_is_none(project: Project, said: Said) -> None:
    early = said("report", "plain")
    assert early.exit_code == 1
    assert "plain has not been trained yet, so there is no report: e2i run plain" in early.output
    made(project)
    shown = said("report", "plain")
    assert shown.exit_code == 0
    path = Path(shown.stdout.removesuffix("\n"))
    assert "What it may be used for" in path.read_text()
    assert path.is_relative_to(project.settings.state / "reports" / "plain")
    (project.settings.experiments / "plain.yaml").parent.mkdir(exist_ok=True)
    (project.settings.experiments / "plain.yaml").write_text(PLAIN)
    assert "there is no experiment 'plan'; did you mean 'plain'?" in said("report", "plan").output
    path.unlink()
    gone = said("report", "plain")
    assert gone.exit_code == 1
    assert "materialise trained_model of the partition plain" in " ".join(gone.output.split())
