"""Suggestions in messages about unknown names: the allowed names, and the closest one."""

import difflib
from collections.abc import Iterable


def closest(word: object, options: Iterable[str]) -> str | None:
    """Return the option that is closest to ``word``, or None if none is similar."""
    by_folded = {option.casefold(): option for option in options}
    folded = str(word).casefold()
    within = [option for key, option in by_folded.items() if min(len(key), len(folded)) > 1 and _overlap(key, folded)]
    if len(within) == 1:
        return within[0]
    if found := difflib.get_close_matches(folded, by_folded, n=1, cutoff=0.6):
        return by_folded[found[0]]
    return within[0] if within else None


def _overlap(left: str, right: str) -> bool:
    return left in right or right in left


def did_you_mean(word: object, options: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?``, or an empty text if no option is similar."""
    near = closest(word, options)
    return f"; did you mean {near!r}?" if near is not None else ""


def not_one_of(word: object, options: Iterable[str], shown: int = 12) -> str:
    """Return the rule for a word that is not an allowed option: ``is not one of a, b; did you mean 'a'?``."""
    known = list(options)
    more = f" and {len(known) - shown} more" if len(known) > shown else ""
    return f"is not one of {', '.join(known[:shown])}{more}{did_you_mean(word, known)}"
