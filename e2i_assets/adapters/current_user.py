"""Who does something that is recorded with a name."""

import getpass
import os
from collections.abc import Mapping

WHO = "E2I_WHO"


def who(environment: Mapping[str, str]) -> str:
    """Return the name that the environment gives, else that of the account, else its number."""
    if named := environment.get(WHO, "").strip():
        return named
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without an entry, as in many containers
        return f"uid {os.getuid()}"
