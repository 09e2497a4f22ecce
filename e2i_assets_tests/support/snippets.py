"""The fenced code blocks in README and docs, with their language and the file name in their first line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Snippet:
    """One block of a page."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file name in its first line."""
        found = re.match(r"# file: (\S+)\n", self.text)
        return found[1] if found else None

    @property
    def lines(self) -> list[str]:
        """Its commands, one for each line, without comments."""
        return [line.strip() for line in self.text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def pages() -> list[Path]:
    """Return README and every page of the docs that is not generated."""
    written = [path for path in (REPOSITORY / "docs").rglob("*.md") if not {"_site", "made"} & set(path.parts)]
    return [REPOSITORY / "README.md", *sorted(written)]


def snippets(path: Path) -> Iterator[Snippet]:
    """The blocks of a page, in order."""
    text = path.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Snippet(str(path.relative_to(REPOSITORY)), line, found[1], found[2])


def all_snippets(*languages: str) -> list[Snippet]:
    """Every block in one of these languages."""
    return [one for path in pages() for one in snippets(path) if one.language in languages]
