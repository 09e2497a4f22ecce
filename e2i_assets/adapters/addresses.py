"""Addresses of servers that may hold a password: whether they can be read, and what of them may stand in a text."""

import re
from urllib.parse import SplitResult, unquote, urlsplit

from e2i_assets.core.errors import E2iError

ESCAPING = "in a user name or a password write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23"
_USERINFO = re.compile(r"(?<=://)[^\s/?#]*@")


def address_parts(
    name: str, url: str, like: str = "https://host:5000", *, path_may_hold_at: bool = False
) -> SplitResult:
    """Return the parts of an address, each of which can be read.

    Args:
        name: The variable that holds it.
        url: The address.
        like: What it must look like.
        path_may_hold_at: Whether an @ behind the host is one of the path. Of others it tells that a password holds a
            / that is not escaped: its beginning is then taken for the port, and its end for the path.

    Raises:
        E2iError: It cannot be read. It may hold a password, and so is not repeated.
    """
    try:
        parts = urlsplit(url)
        # Only reading the port judges it, with an error that repeats it.
        is_readable = parts.port != 0 and (path_may_hold_at or "@" not in parts.path + parts.query + parts.fragment)
    except ValueError:
        is_readable = False
    if not is_readable:
        raise E2iError(f"{name} is no address: it must look like {like}; {ESCAPING}")
    return parts


def shown_address(name: str, url: str) -> str:
    """Return an address as it may be shown: without user name and password, and ready for a path behind it.

    Raises:
        E2iError: It cannot be read (see `address_parts`).
    """
    parts = address_parts(name, url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")


def without_userinfo(text: str, url: str) -> str:
    """Return a text that a library wrote about an address, without the user name and the password of that address.

    Libraries repeat an address as it was given, decoded or encoded anew, whole or in parts.
    """
    text = _USERINFO.sub("", text)
    pieces = url.partition("://")[2].split("@")
    # Up to each @, the longest first: where the password ends, libraries see differently.
    for last in range(len(pieces) - 1, 0, -1):
        userinfo = "@".join(pieces[:last])
        password = userinfo.partition(":")[2]
        for given in (userinfo, unquote(userinfo)):
            text = text.replace(f"{given}@", "")
        for secret in filter(None, (password, unquote(password))):
            text = text.replace(secret, "***")
    return text
