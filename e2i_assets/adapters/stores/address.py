"""The address of a state: a folder, or a place in object storage. Anything else is refused before a file is written."""

import re
from dataclasses import dataclass
from importlib.util import find_spec
from urllib.parse import unquote, urlsplit

from e2i_assets.core.errors import E2iError


@dataclass(frozen=True, slots=True)
class Extra:
    """The extra of this package that a scheme needs, and its modules for fsspec, MLflow and Dagster."""

    name: str
    modules: tuple[str, ...]


_AZURE = Extra("azure", ("adlfs", "azure.storage.filedatalake"))
EXTRAS = {
    "s3": Extra("s3", ("s3fs", "boto3", "dagster_aws")),
    "gs": Extra("gcs", ("gcsfs", "google.cloud.storage")),
    "abfs": _AZURE,
    "abfss": _AZURE,
}
_ALLOWED = "a folder, file:///FOLDER, " + ", ".join(f"{one}://BUCKET/PREFIX" for one in EXTRAS)
# The characters that need no escaping in any of the stores, and mean nothing in a pattern. Azure's has an @.
_PLACE = re.compile(r"[\w@.-]+(/[\w.-]+)*", re.ASCII)


def folder_or_address(variable: str, given: str) -> tuple[str, None] | tuple[None, str]:
    """Return the folder or the address in object storage that a variable names; the other one is None.

    Raises:
        E2iError: The scheme is unknown, its packages are not installed, or the address is not a bucket and a prefix.
    """
    scheme, colon, rest = given.partition(":")
    if not colon or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return given, None
    scheme = scheme.lower()
    if scheme == "file" and rest.startswith("///"):
        return unquote(urlsplit(given).path), None
    if scheme not in EXTRAS or not rest.startswith("//"):
        raise E2iError(
            f"{variable} starts with {scheme}:, which is no address of a state: it must be {_ALLOWED}. Write a folder "
            f"whose name has a colon as ./{scheme}:..."
        )
    place = rest.strip("/")
    if not _PLACE.fullmatch(place) or {".", ".."} & set(place.split("/")):
        # The value is not repeated: someone may have put a password into it.
        raise E2iError(
            f"{variable} must be {scheme}://BUCKET/PREFIX, of letters, digits and . _ - only. Credentials do not "
            "belong into it: the library of the store takes them from its own variables"
        )
    extra = EXTRAS[scheme]
    if missing := [name for name in extra.modules if not _is_installed(name)]:
        raise E2iError(
            f"{variable} is an address of {scheme}://, which needs the packages of the extra {extra.name} "
            f"({', '.join(missing)} cannot be imported): pip install 'e2i_assets[{extra.name}]'"
        )
    return None, f"{scheme}://{place}"


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a parent package is missing
        return False
