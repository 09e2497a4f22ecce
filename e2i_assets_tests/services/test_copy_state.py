"""`e2i state copy`: a state in another place is the same state, and its champion predicts the same."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from object_storage import new_bucket, object_storage, objects

from e2i_assets.cli.check import found
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.errors import E2iError
from e2i_assets.services.copy_state import CopyRefused, copy_state
from e2i_assets.services.project import Project
from e2i_assets.services.stored_model import promoted_model
from e2i_assets.services.write_report import latest_report


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def predictions(project: Project) -> Any:
    champion = project.champions.current(project.experiments.id_of("plain"))
    assert champion is not None
    model = promoted_model(project, "plain", champion.challenger_key)
    rows: TrainingRows = project.read(TrainingRows, "validation_splits", "plain")
    return model.predict_proba(rows.test.features)


def progress(done: int, total: int) -> None:
    assert 0 < done <= total


@pytest.mark.drill  # ten seconds; the tests below run in CI
def test_a_state_goes_to_object_storage_and_back_and_stays_the_same(
    finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = files(finished.settings.state)
    expected = predictions(finished)
    with object_storage() as reached:
        for name, value in reached.items():
            monkeypatch.setenv(name, value)
        bucket = new_bucket(reached)
        copied = copy_state(finished, f"s3://{bucket}/e2i", progress)
        assert (copied.copied_before, copied.runs_elsewhere) == (0, 0)
        assert files(finished.settings.state) == source
        stored = {key.split("/")[1] for key in objects(reached, bucket)}
        assert stored == {"assets", "models", "champions", "reports", "mlflow-artifacts"}

        there = replace(finished.settings, state=tmp_path / "empty", address=f"s3://{bucket}/e2i")
        moved = Project(there, finished.database)
        # What this machine has is not needed any more.
        finished.settings.state.rename(tmp_path / "away")
        assert [one for one in found(moved, ["plain"]) if one.fails] == []
        assert np.array_equal(predictions(moved), expected)
        assert latest_report(there, "plain").read_bytes().lower().startswith(b"<!doctype html")
        (link,) = moved.training_runs.links("plain")
        assert artifact(moved, str(link.mlflow_run_id)) > 1000

        back = copy_state(moved, str(tmp_path / "back"), progress)
        assert back.items == copied.items
    home = Project(replace(finished.settings, state=tmp_path / "back"), finished.database)
    kept = {name: content for name, content in source.items() if name.split("/")[0] in stored}
    assert files(tmp_path / "back") == kept
    assert (tmp_path / "back" / "models" / "plain").glob("*").__next__().stat().st_mode & 0o777 == 0o755
    assert np.array_equal(predictions(home), expected)
    assert artifact(home, str(link.mlflow_run_id)) > 1000


def artifact(project: Project, run_id: str) -> int:
    """Return the size of the report that MLflow finds for a run."""
    from e2i_assets.adapters.mlflow.client import mlflow_client

    client = mlflow_client(project.database.url_for("mlflow"))
    return Path(client.download_artifacts(run_id, "report.html")).stat().st_size


def test_an_interrupted_copy_is_continued_and_changes_no_address_before(finished: Project, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    before, expected = addresses(finished), predictions(finished)
    with pytest.raises(KeyboardInterrupt):
        copy_state(finished, "new", interrupt)
    assert addresses(finished) == before
    copied = copy_state(finished, "new", progress)
    assert copied.copied_before >= 5
    assert copied.addresses > 0
    assert all(f"{finished.settings.root}/new/" in one for one in addresses(finished))
    there = Project(replace(finished.settings, state=finished.settings.root / "new"), finished.database)
    finished.settings.state.rename(tmp_path / "away")
    assert np.array_equal(predictions(there), expected)
    assert artifact(there, str(there.training_runs.links("plain")[0].mlflow_run_id)) > 1000
    (tmp_path / "away").rename(finished.settings.state)
    with pytest.raises(CopyRefused, match="has a state already"):
        copy_state(finished, "new", progress)


def addresses(project: Project) -> list[str]:
    with project.database.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT artifact_uri FROM mlflow.runs UNION ALL SELECT artifact_location FROM mlflow.experiments"
            " WHERE name <> 'Default' UNION ALL SELECT artifact_path FROM ml_model_registry"
            " UNION ALL SELECT model_folder FROM ml_champion_decisions ORDER BY 1"
        )
        return [str(one) for (one,) in rows]


def test_a_value_that_is_written_meanwhile_is_not_lost(finished: Project) -> None:
    def write(done: int, total: int) -> None:
        if done == 1:
            with finished.store.replacing("assets/team/dataset/later") as fresh:
                (fresh / "value.json").write_text("{}")

    with pytest.raises(E2iError, match="was changed while it was copied"):
        copy_state(finished, "new", write)
    copied = copy_state(finished, "new", progress)
    assert (finished.settings.root / "new/assets/team/dataset/later/value.json").read_text() == "{}"
    assert copied.copied_before == copied.items - 1


def test_a_copy_into_itself_or_without_the_database_is_refused(finished: Project) -> None:
    for place in ("state", "state/inner", "."):
        with pytest.raises(CopyRefused, match="are the same place"):
            copy_state(finished, place, progress)
    embedded = replace(finished, settings=replace(finished.settings, database_url=None))
    with pytest.raises(CopyRefused, match="e2i db backup"):
        copy_state(embedded, "s3://models/e2i", progress)
