"""Lists the licence of every package in the lock, and fails on one that is not permissive and not allowed here by name.

Reads the metadata of the installed packages and needs no network. `make licences` prints the list.
"""

import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path

# Licences that require attribution only.
PERMISSIVE = {
    "0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0",
    "ZPL-2.1", "Zlib",
}  # fmt: skip
# Their names in older metadata.
SPELLINGS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "BSD 3-Clause": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU Library or Lesser General Public License (LGPL)": "LGPL-3.0",
    "GNU General Public License (GPL)": "GPL",
    "Python Software Foundation License": "PSF-2.0",
}
# Exceptions: packages that are not permissive, with the reason.
ALLOWED = {
    "certifi": "MPL-2.0: a list of certificates, used unchanged",
    "docutils": "public domain but for a few files (BSD, and one under the GPL that is an editor's mode); docs only",
    "hypothesis": "MPL-2.0, used unchanged; development only",
    "pathspec": "MPL-2.0, used unchanged; development only, through mypy and hatchling",
    "psycopg2-binary": "LGPL-3.0 with exceptions, used unchanged and loaded at run time",
    "tqdm": "MPL-2.0 and MIT, used unchanged",
}
# Packages without licence metadata, or for other systems only; the licence was read from their source.
SAID_ELSEWHERE = {
    "colorama": "BSD-3-Clause",
    "huey": "MIT",
    "pyreadline3": "BSD-3-Clause",
    "pywin32": "PSF-2.0",
    "skops": "MIT",
    "waitress": "ZPL-2.1",
}
# Locked with a marker that is never true (see pyproject.toml), so it is never installed.
NEVER_INSTALLED = {"nvidia-nccl-cu12"}


def locked(lock: Path) -> list[str]:
    """Return the names of the packages in the lock."""
    return re.findall(r"^([a-z0-9][a-z0-9._-]*)==", lock.read_text(encoding="utf-8"), re.MULTILINE)


def licence(package: str) -> str:
    """Return the licence in a package's metadata, or an empty text."""
    try:
        said = importlib.metadata.metadata(package)
    except importlib.metadata.PackageNotFoundError:
        return SAID_ELSEWHERE.get(package, "")
    if "License-Expression" in said:
        return str(said["License-Expression"])
    named = [line.split(" :: ") for line in said.get_all("Classifier") or [] if line.startswith("License :: ")]
    # "DFSG approved" and "OSI Approved" alone name no licence.
    kinds = [words[-1] for words in named if words[-1] not in ("OSI Approved", "DFSG approved")]
    free_text = str(said["License"] or "") if "License" in said else ""
    free_text = free_text.strip().partition("\n")[0]
    return " AND ".join(kinds) or free_text or SAID_ELSEWHERE.get(package, "")


def is_permissive(expression: str) -> bool:
    """Return whether a licence, or one of several alternatives, is permissive."""
    return any(
        all(part in PERMISSIVE for part in choice.split(" AND "))
        for choice in expression.replace("(", "").replace(")", "").split(" OR ")
        if choice
    )


def findings(packages: list[str]) -> Iterator[str]:
    """Yield the problems of these packages' licences and of the lists above."""
    for package in packages:
        if package in ALLOWED or package in NEVER_INSTALLED:
            continue
        found = spelled(licence(package))
        if not is_permissive(found):
            said = f"its licence is {found}" if found else "it says nothing of its licence"
            yield f"{package}: {said}. Take another package, or allow it in scripts/licences.py with the reason"
    for package in sorted({*ALLOWED, *SAID_ELSEWHERE, *NEVER_INSTALLED} - set(packages)):
        yield f"{package}: it is not in the lock any more; remove it from scripts/licences.py"


def spelled(expression: str) -> str:
    """Return the current name of a licence."""
    # A name may contain brackets, so whole names are replaced before the expression is split.
    return re.sub(
        "|".join(map(re.escape, sorted(SPELLINGS, key=len, reverse=True))), lambda m: SPELLINGS[m[0]], expression
    )


def main(lock: Path, every: bool) -> int:
    """Print each finding, or every licence, and return an exit code."""
    packages = locked(lock)
    if every:
        for package in packages:
            print(f"{package:40} {ALLOWED.get(package) or spelled(licence(package)) or 'never installed'}")
    found = list(findings(packages))
    for finding in found:
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent / "requirements.lock", "--list" in sys.argv))
