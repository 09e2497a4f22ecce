"""Code versions: they change with the code of an asset, and with no other code."""

from pathlib import Path

import pytest

from e2i_assets.adapters import source_digest as module
from e2i_assets.adapters.source_digest import source_digest


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with two parts."""
    for name in ("data", "search"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "code.py").write_text("one = 1\n")
    monkeypatch.setattr(module, "_PACKAGE", tmp_path)
    source_digest.cache_clear()
    return tmp_path


def test_the_digest_changes_with_its_own_part_alone(package: Path) -> None:
    before = source_digest("data"), source_digest("search"), source_digest()
    (package / "data" / "code.py").write_text("one = 2\n")
    source_digest.cache_clear()
    after = source_digest("data"), source_digest("search"), source_digest()
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, True, False]
    source_digest.cache_clear()


def test_a_part_that_does_not_exist_is_an_error(package: Path) -> None:
    with pytest.raises(FileNotFoundError):
        source_digest("nothing.py")
