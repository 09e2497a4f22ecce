"""What a person cannot read in the result of a check."""

import re

from e2i_assets.services.checks.check import CheckResult

_DECIMAL = re.compile(r"\d*\.\d+")
_MOST_DIGITS = 4
_BOOLEAN = re.compile(r"\b(True|False|None|nan|null)\b|^(true|false|none)$")


def unreadable(results: dict[str, CheckResult]) -> list[str]:
    """Return each fact that is no count and no text, and each text with a Boolean or a number of many digits."""
    found = []
    for check, result in results.items():
        texts = {"why": result.why} if result.passed else {}
        for name, fact in result.facts.items():
            if isinstance(fact, bool) or not isinstance(fact, int | str | None):
                found.append(f"{check}: {name} is {fact!r}")
            texts[name] = str(fact) if isinstance(fact, str) else ""
        for name, text in texts.items():
            if _BOOLEAN.search(text) or _is_long(text):
                found.append(f"{check}: {name}: {text}")
    return found


def _is_long(text: str) -> bool:
    return any(len(one.replace(".", "").strip("0")) > _MOST_DIGITS for one in _DECIMAL.findall(text))
