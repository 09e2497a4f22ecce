"""Environment variables as values: numbers, switches, time zones. An invalid one is an error that names it."""

import re
from collections.abc import Mapping
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from e2i_assets.core.errors import E2iError

CORES = "E2I_CORES"
TIME_ZONE = "E2I_TIME_ZONE"
KEY_PREFIX = "E2I_KEY_PREFIX"
_DIGITS = 9


def cores(environment: Mapping[str, str]) -> int:
    """Return the number of cores that this process may use: the configured one, otherwise what the system allows.

    Raises:
        E2iError: The configured value is not a whole number above 0.
    """
    if not environment.get(CORES):
        import joblib

        return int(joblib.cpu_count())  # respects the CPU affinity and the quota of a container
    return count(environment, CORES, 1)


def is_on(environment: Mapping[str, str], name: str) -> bool:
    """Return whether a variable is ``on``, which is the default.

    Raises:
        E2iError: The value is neither ``on`` nor ``off``.
    """
    given = environment.get(name, "").strip().lower() or "on"
    if given not in ("on", "off"):
        raise E2iError(f"{name} is {given!r}: it must be on or off")
    return given == "on"


def time_zone(environment: Mapping[str, str]) -> str:
    """Return the time zone of schedules.

    Raises:
        E2iError: The value is not a time zone.
    """
    given = environment.get(TIME_ZONE) or "UTC"
    try:
        ZoneInfo(given)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a continent, or a name that is too long
        raise E2iError(
            f"{TIME_ZONE} is {given!r}: it must be the name of a time zone, such as Europe/Berlin"
        ) from error
    return given


def key_prefix(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the parts of the prefix of asset keys, which are separated by slashes; by default there are none.

    Raises:
        E2iError: A part has a character that Dagster does not allow in a key.
    """
    given = environment.get(KEY_PREFIX) or ""
    if given and not re.fullmatch(r"\w+(/\w+)*", given, re.ASCII):
        raise E2iError(f"{KEY_PREFIX} is {given!r}: it must be letters, digits and _, in parts like ml/churn")
    return tuple(given.split("/")) if given else ()


def count(environment: Mapping[str, str], name: str, default: int) -> int:
    """Return the whole number in a variable, or the default if it is not set.

    Raises:
        E2iError: The value is not a whole number above 0 with at most nine digits.
    """
    given = environment.get(name)
    if not given:
        return default
    # The length is checked before the conversion: Python refuses to convert thousands of digits.
    if not given.isascii() or not given.isdigit() or len(given) > _DIGITS or int(given) < 1:
        raise E2iError(f"{name} is {given!r}: it must be a whole number, at least 1, of {_DIGITS} digits at most")
    return int(given)
