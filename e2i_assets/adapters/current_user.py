"""The name of the current user, which is recorded with some actions."""

import getpass
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

USER = "E2I_USER"


def current_user(environment: Mapping[str, str]) -> str:
    """Return the configured name, otherwise the name of the account, otherwise its number."""
    if named := environment.get(USER, "").strip():
        return named
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without an entry, as in many containers
        return f"uid {os.getuid()}"


def owner(environment: Mapping[str, str], folder: Path) -> str:
    """Return the owner of a new experiment file: the e-mail address of git, else a team with the name of the user."""
    try:
        asked = ["git", "config", "user.email"]
        answer = subprocess.run(asked, capture_output=True, text=True, cwd=folder, timeout=5, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        answer = ""
    if re.fullmatch(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}", answer.strip()):
        return answer.strip()
    return f"team:{re.sub(r'[^A-Za-z0-9_.-]', '_', current_user(environment))}"
