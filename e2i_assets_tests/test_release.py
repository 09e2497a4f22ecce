"""`make release`: the version, the changelog and the builds, in a small repository with a real git and make."""

import subprocess
from datetime import date
from pathlib import Path

import pytest
import release

ROOT = Path(__file__).resolve().parent.parent
DAY = date(2026, 12, 1)
# The builds of the small repository: each leaves a file, or fails if there is a file `broken`.
MAKEFILE = (
    "wheel:\n\t@test ! -e ../broken\n\t@mkdir -p dist && touch dist/$(VERSION).whl\nimage:\n\t@touch dist/image\n"
)
# Not among those of `make test`: a machine that is set up by it may have no git.
pytestmark = pytest.mark.processes
STATE = "import sys; from pathlib import Path; Path(sys.argv[2]).write_text('state')\n"


def git(folder: Path, *words: str) -> str:
    own = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    return subprocess.run(["git", *own, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed repository of version 0.1.0 with unreleased entries."""
    folder = tmp_path / "repository"
    for name in ("scripts", "e2i_assets_tests/releases"):
        (folder / name).mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[project]\nname = "a"\nversion = "0.1.0"\n[tool.x]\nversion = 3\n')
    (folder / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n### Added\n- One.\n\n## 0.0.1 - 2026-01-01\n")
    (folder / "Makefile").write_text(MAKEFILE)
    (folder / "scripts" / "release_state.py").write_text(STATE)
    (folder / ".gitignore").write_text("dist/\n")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    for name in ("DOCKER", "BUILDER"):
        monkeypatch.setenv(name, "no-such-program")
    monkeypatch.setenv("VERSION", "0.2.0")
    return folder


def test_a_release_sets_version_and_changelog_and_builds(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = release.release(repository, "0.2.0", DAY)
    assert "No image was built" in told
    assert "git tag v0.2.0" in told
    assert '\nversion = "0.2.0"\n[tool.x]\nversion = 3\n' in (repository / "pyproject.toml").read_text()
    changelog = (repository / "CHANGELOG.md").read_text()
    assert "## Unreleased\n\n## 0.2.0 - 2026-12-01\n\n### Added\n- One.\n\n## 0.0.1 - 2026-01-01\n" in changelog
    assert [path.name for path in (repository / "dist").iterdir()] == ["0.2.0.whl"]
    assert (repository / "e2i_assets_tests/releases/0.2.0.tar.gz").read_text() == "state"
    # Nothing is committed, so the tree is not clean now; after the commit there are no entries.
    with pytest.raises(release.ReleaseRefused, match=r"(?s)commit or remove.*pyproject\.toml"):
        release.release(repository, "0.3.0", DAY)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "Release 0.2.0")
    with pytest.raises(release.ReleaseRefused, match="no entries"):
        release.release(repository, "0.3.0", DAY)
    monkeypatch.setenv("BUILDER", "sh -c")
    assert release.builder()


@pytest.mark.parametrize("version", ["0.1.0", "0.0.9", "v0.2.0", "0.2", "0.2.0rc1", "0.02.0", ""])
def test_a_version_that_is_not_higher_is_refused(repository: Path, version: str) -> None:
    with pytest.raises(release.ReleaseRefused, match=r"is not higher than 0\.1\.0|is no version"):
        release.release(repository, version, DAY)
    assert git(repository, "status", "--porcelain") == ""
    assert not (repository / "dist").exists()


def test_a_tree_with_changes_is_refused(repository: Path) -> None:
    (repository / "new.py").touch()
    with pytest.raises(release.ReleaseRefused, match=r"new\.py"):
        release.release(repository, "0.2.0", DAY)


def test_a_build_that_fails_leaves_the_files_as_they_were(repository: Path) -> None:
    (repository.parent / "broken").touch()
    with pytest.raises(subprocess.CalledProcessError):
        release.release(repository, "0.2.0", DAY)
    assert git(repository, "status", "--porcelain") == ""


def test_the_version_of_this_project_is_in_one_place_and_has_a_changelog() -> None:
    settings = (ROOT / "pyproject.toml").read_text()
    raised = release.versioned(settings, "999.0.0")
    assert len([line for line in raised.splitlines() if "999.0.0" in line]) == 1
    assert "## 999.0.0 - 2026-12-01" in release.dated((ROOT / "CHANGELOG.md").read_text(), "999.0.0", DAY)
    present = release._VERSION.search(settings)
    assert present
    named = f"e2i_assets-{'.'.join(present.groups())}"
    assert named not in (ROOT / "README.md").read_text()
