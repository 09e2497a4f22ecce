"""Server addresses that may contain a password: validation, and redaction for display and log texts."""

import re
from urllib.parse import SplitResult, unquote, urlsplit

from e2i_assets.core.errors import E2iError

ESCAPING = "in a user name or a password write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23"
_USERINFO = re.compile(r"(?<=://)[^\s/?#]*@")


def address_parts(
    name: str, url: str, like: str = "https://host:5000", *, path_may_hold_at: bool = False
) -> SplitResult:
    """Return the parts of an address, after checking that each is valid.

    Args:
        name: The variable that contains the address.
        url: The address.
        like: An example of a valid address.
        path_may_hold_at: Whether an @ after the host may be part of the path. For other addresses it is the sign of a
            password with an unescaped /: its beginning is then parsed as the port, and its end as the path.

    Raises:
        E2iError: The address is invalid. It is not repeated because it may contain a password.
    """
    try:
        parts = urlsplit(url)
        # Only reading the port validates it, with an error that repeats it.
        is_readable = parts.port != 0 and (path_may_hold_at or "@" not in parts.path + parts.query + parts.fragment)
    except ValueError:
        is_readable = False
    if not is_readable:
        raise E2iError(f"{name} is not a valid address: it must look like {like}; {ESCAPING}")
    return parts


def shown_address(name: str, url: str) -> str:
    """Return an address for display: without user name and password, ready for a path to be appended.

    Raises:
        E2iError: The address is invalid (see `address_parts`).
    """
    parts = address_parts(name, url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")


def without_userinfo(text: str, url: str) -> str:
    """Return a library's text about an address, without the user name and the password of that address.

    Libraries repeat an address in its original form, decoded or re-encoded, completely or in parts.
    """
    text = _USERINFO.sub("", text)
    pieces = url.partition("://")[2].split("@")
    # Up to each @, longest first: libraries differ in where they see the end of the password.
    for last in range(len(pieces) - 1, 0, -1):
        userinfo = "@".join(pieces[:last])
        password = userinfo.partition(":")[2]
        for given in (userinfo, unquote(userinfo)):
            text = text.replace(f"{given}@", "")
        for secret in filter(None, (password, unquote(password))):
            text = text.replace(secret, "***")
    return text
