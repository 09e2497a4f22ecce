"""The name of the current user, which is recorded with some actions."""

import getpass
import os
from collections.abc import Mapping

USER = "E2I_USER"


def current_user(environment: Mapping[str, str]) -> str:
    """Return the configured name, otherwise the name of the account, otherwise its number."""
    if named := environment.get(USER, "").strip():
        return named
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without an entry, as in many containers
        return f"uid {os.getuid()}"
