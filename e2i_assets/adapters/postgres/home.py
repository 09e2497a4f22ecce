"""The location of a cluster: in its folder, or elsewhere if root's folder is closed to the server's account."""

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path

from e2i_assets.adapters.postgres.account import Account, server_account
from e2i_assets.adapters.postgres.binaries import binaries_for
from e2i_assets.adapters.postgres.errors import PostgresUnavailable

_POINTER = "data-is-elsewhere.txt"
_ORIGIN = "belongs-to.txt"


@dataclass(frozen=True, slots=True)
class PostgresHome:
    """The folders and the account of a server.

    Attributes:
        data: The folder of the cluster; the current account may write to its parent.
        binaries: The folder of ``postgres``, ``initdb`` and the client programs.
        account: The account that runs them.
    """

    data: Path
    binaries: Path
    account: Account


def postgres_home(folder: Path, shared_folder: Path) -> PostgresHome:
    """Choose and create the place for the server of a folder.

    Args:
        folder: The folder that the user knows; resolved and existing.
        shared_folder: The place for what root's server account cannot reach in ``folder``.

    Raises:
        PostgresUnavailable: The account cannot enter the folder of the existing cluster.
    """
    data = _elsewhere(folder) or folder / "data"
    account = server_account(data)
    if not account.can_enter(data.parent):
        if data.exists():
            raise PostgresUnavailable(
                f"The cluster {data} is closed to the account {account.uid} that PostgreSQL runs as.",
                "Let others enter the folders above it (chmod o+x), or run as an ordinary user.",
            )
        data = _relocated(folder, shared_folder)
    return PostgresHome(data, binaries_for(account, shared_folder), account)


def _elsewhere(folder: Path) -> Path | None:
    pointer = folder / _POINTER
    if not pointer.exists():
        return None
    place = Path(pointer.read_text(encoding="utf-8").splitlines()[0])
    if not (place / _ORIGIN).exists():
        return None
    origin = Path((place / _ORIGIN).read_text(encoding="utf-8"))
    if origin != folder and origin.exists():
        return None  # this folder is a copy: two servers must not share one cluster
    return place / "data"


def _relocated(folder: Path, shared_folder: Path) -> Path:
    key = hashlib.sha256(bytes(folder)).hexdigest()[:16]
    # The random part: a folder that was deleted and created again starts with an empty database.
    place = shared_folder / f"{key}-{secrets.token_hex(3)}"
    shared_folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    place.mkdir(mode=0o755)
    for path in (shared_folder, place):  # the umask reduces the mode above
        path.chmod(0o755)
    (place / _ORIGIN).write_text(str(folder), encoding="utf-8")
    (folder / _POINTER).write_text(
        f"{place}\n\nPostgreSQL does not run as root, and the account it runs as may not enter this folder.\n"
        "Its data is in the folder named above; if you delete this folder, you can delete that one too.\n",
        encoding="utf-8",
    )
    return place / "data"
