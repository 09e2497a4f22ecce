"""Searches the repository for forbidden text: hosts of package registries and paths of one machine.

A fixed registry host fails behind a mirror, and a path in a home folder works on one machine only. The script
walks the folder itself, because a fresh machine has no git.
"""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

NOT_OURS = {".git", ".venv", ".e2i", "__pycache__", "node_modules", "dist", ".hypothesis"}
# A worktree has a file .git, with the path of its repository.
NOT_FILES = {".env", ".git"}

# The brackets keep this file from matching itself.
RULES = {
    "names the host of a package registry": re.compile(
        r"\b(?:py[p]i\.(?:org|python)|python[h]osted\.org|registry\.npm[j]s|[c]onda\.anaconda)", re.IGNORECASE
    ),
    "chooses a package index, which is the person's choice": re.compile(
        r"(?:index[-_]url|find[-_]links|trusted[-_]host|default[-_]index)\s*[=: ]\s*[\"']?\w+:[/]{2}", re.IGNORECASE
    ),
    "holds a path of one machine": re.compile(r"(?<![\w.$~})/-])/(?:home|Users|root|work)/[\w.-]"),
}


def main(root: Path) -> int:
    """Print each finding as file:line, and return an exit code."""
    findings = list(found(root))
    for finding in findings:
        print(finding)
    return 1 if findings else 0


def found(root: Path) -> Iterator[str]:
    for path in files(root):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # not a text file
        for number, line in enumerate(text.splitlines(), 1):
            for rule, pattern in RULES.items():
                if hit := pattern.search(line):
                    yield f"{path.relative_to(root)}:{number}: {rule}: {hit.group()}"
        if path.name == "requirements.lock" and ":" + "//" in text:
            yield f"{path.relative_to(root)}: names an address; a lock of ours holds names, versions and hashes alone"


def files(root: Path) -> Iterator[Path]:
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if name not in NOT_OURS and not name.endswith("_cache"))
        yield from (Path(folder) / name for name in sorted(names) if name not in NOT_FILES)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent))
