"""A copy of a finished project is a project by itself: a test that changes it changes no other test's."""

from originals import Original

from e2i_assets.services.project import Project


def test_a_copy_names_no_file_of_its_original(plain: Original, finished: Project) -> None:
    there = str(plain.root)
    files = [path for path in finished.settings.state.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert [path for path in files if there.encode() in path.read_bytes()] == []
