"""Where a cluster's files live: in its folder, or, when root's folder is closed to the server's account, elsewhere."""

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
    """The places and the account of one server.

    Attributes:
        data: The cluster; its parent is ours to write to.
        binaries: The folder of ``postgres``, ``initdb`` and the client programs.
        account: Who runs them.
    """

    data: Path
    binaries: Path
    account: Account


def postgres_home(folder: Path, shared_folder: Path) -> PostgresHome:
    """Decide where the server of a folder lives, and make that place.

    Args:
        folder: The folder the person knows; resolved, existing.
        shared_folder: Where root puts what the server's account cannot reach in its own place.

    Raises:
        PostgresUnavailable: An existing cluster is out of the account's reach.
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
    # The random part: a folder that was deleted and made again starts afresh, as it would with the data inside it.
    place = shared_folder / f"{key}-{secrets.token_hex(3)}"
    shared_folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    place.mkdir(mode=0o755)
    for path in (shared_folder, place):  # the mode above is cut by the umask
        path.chmod(0o755)
    (place / _ORIGIN).write_text(str(folder), encoding="utf-8")
    (folder / _POINTER).write_text(
        f"{place}\n\nPostgreSQL does not run as root, and the account it runs as may not enter this folder.\n"
        "Its data is in the folder named above; whoever deletes this folder may delete that one too.\n",
        encoding="utf-8",
    )
    return place / "data"
