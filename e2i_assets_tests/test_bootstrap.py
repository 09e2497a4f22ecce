"""The decisions of the bootstrap; every `make` runs the whole of it."""

import ctypes
import os
import stat
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from index_settings import installer_environment
from native_libraries import renamed
from uv_source import BootstrapFailed, requirement_of, uv_version

ROOT = Path(__file__).resolve().parent.parent
MIRROR = "https://mirror.example/simple"


def test_the_locked_uv_is_required_by_version_and_hash() -> None:
    lines = requirement_of("uv", (ROOT / "requirements.lock").read_text()).splitlines()
    assert lines[0].startswith("uv==")
    assert len(lines) > 5
    assert all(line.startswith("    --hash=sha256:") for line in lines[1:])


def test_a_lock_without_uv_is_refused() -> None:
    with pytest.raises(BootstrapFailed, match="does not name uv"):
        requirement_of("uv", "uvicorn==1.0 \\\n    --hash=sha256:00\n")


def test_a_file_that_is_not_uv_has_no_version(tmp_path: Path) -> None:
    assert uv_version(str(tmp_path / "absent")) == ()
    assert uv_version(sys.executable.replace("python", "uv")) > (0, 8)


@pytest.mark.parametrize(
    ("given", "variable"),
    [
        ({"PIP_INDEX_URL": MIRROR}, "UV_DEFAULT_INDEX"),
        ({"UV_DEFAULT_INDEX": MIRROR}, "PIP_INDEX_URL"),
        ({"UV_INDEX_URL": MIRROR}, "PIP_INDEX_URL"),
    ],
)
def test_an_index_of_one_installer_is_passed_to_the_other(given: dict[str, str], variable: str) -> None:
    assert installer_environment(given)[variable] == MIRROR


def test_an_index_in_a_file_of_pip_is_passed_to_uv(tmp_path: Path) -> None:
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "pip.conf").write_text(f"[global]\nindex-url = {MIRROR}\n")
    environment = installer_environment({"XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path / "home")})
    assert environment["UV_DEFAULT_INDEX"] == MIRROR


def test_settings_of_both_installers_stay_as_they_are() -> None:
    both = {
        "PIP_INDEX_URL": MIRROR,
        "UV_DEFAULT_INDEX": "https://other.example/simple",
        "SSL_CERT_FILE": "/certificates",
    }
    environment = installer_environment(both)
    assert both.items() <= environment.items()
    assert environment["PIP_CERT"] == "/certificates"


def test_no_python_is_downloaded() -> None:
    assert installer_environment({})["UV_PYTHON_DOWNLOADS"] == "never"


@pytest.mark.parametrize("setting", ["/nowhere/python", "false"])
def test_an_unsuitable_python_is_one_clear_error(setting: str) -> None:
    outcome = subprocess.run(
        ["sh", ROOT / "scripts" / "bootstrap.sh"],
        env=os.environ | {"PYTHON": setting},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 1
    assert outcome.stderr == f"PYTHON={setting} is not a Python 3.11 or newer that runs here.\n"


def test_an_old_python_is_an_error_that_says_what_to_install(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")  # a Python before 3.11 exits so when its version is checked
    old.chmod(old.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "dirname").symlink_to("/usr/bin/dirname")
    outcome = subprocess.run(
        ["/bin/sh", ROOT / "scripts" / "bootstrap.sh"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 1
    assert "apt install python3" in outcome.stderr


def test_the_shipped_openmp_loads_under_its_usual_name(tmp_path: Path) -> None:
    shipped = next(Path(sysconfig.get_path("purelib")).glob("scikit_learn.libs/libgomp-*"))
    library = tmp_path / "libgomp.so.1"
    library.write_bytes(renamed(shipped.read_bytes(), shipped.name, library.name))
    assert library.stat().st_size == shipped.stat().st_size
    assert ctypes.CDLL(str(library)).omp_get_max_threads() >= 1


def test_a_library_that_does_not_name_itself_once_is_refused() -> None:
    with pytest.raises(ValueError, match="0 times"):
        renamed(b"\0other.so.1\0", "libgomp-1234.so.1", "libgomp.so.1")
