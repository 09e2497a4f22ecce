"""`e2i state copy`: what was copied, what was not, and what to do next."""

import json
from collections.abc import Callable

from click.testing import Result

from e2i_assets.services.project import Project

RunCli = Callable[..., Result]


def test_a_copy_says_what_to_set_and_is_refused_twice(finished: Project, run_cli: RunCli) -> None:
    with finished.database.begin() as connection:
        connection.exec_driver_sql("UPDATE mlflow.runs SET artifact_uri = 'file:///gone/artifacts'")
    copied = run_cli("state", "copy", "new")
    assert copied.exit_code == 0, copied.output
    assert "Not copied: the artifacts of 1 runs in MLflow" in copied.stdout
    place = finished.settings.root / "new"
    assert f"Now set E2I_STATE={place} and run `e2i check`." in copied.stdout
    again = run_cli("state", "copy", "new")
    assert again.exit_code == 1
    assert "has a state already" in again.output
    as_json = run_cli("state", "copy", "other", "--json")
    assert json.loads(as_json.stdout)["copied_before"] == 0
