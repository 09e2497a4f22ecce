"""What the memory's assets show: what is tried first, what may come instead, and what past problems say of both."""

from typing import Any

from e2i_assets.core.memory.selection import weights
from e2i_assets.core.memory.warm_start import WarmStart

_MOST_ALTERNATIVES = 20


def tried_first(start: WarmStart) -> list[dict[str, Any]]:
    """Return the planned configurations as rows of a table; without a memory, the defaults."""
    return _rows(start, range(start.tries or min(1, len(start.configurations))))


def alternatives(start: WarmStart) -> list[dict[str, Any]]:
    """Return those that the first results may bring forward, the most promising ones first."""
    rest = range(start.tries, len(start.configurations)) if start.tries else range(0)
    return sorted(_rows(start, rest), key=lambda row: row["expected_regret"])[:_MOST_ALTERNATIVES]


def past_problems(start: WarmStart) -> list[dict[str, Any]]:
    """Return the stored studies that decide, with how much each says before anything was tried."""
    shares = weights(start.problems, {}) if start.problems else ()
    return [
        {
            "study": one.study_name,
            "similarity": round(one.similarity, 3),
            "trust": round(one.trust, 3),
            "says": f"{share:.1%}",
            "pattern": one.pattern_id,
        }
        for one, share in zip(start.problems, shares, strict=True)
    ]


def _rows(start: WarmStart, places: range) -> list[dict[str, Any]]:
    shares = weights(start.problems, {}) if start.problems else ()
    return [
        {
            "origin": one.origin,
            "similarity": one.similarity,
            "study": one.study_name,
            # 0 is the best that past problems know, 1 a typical configuration of the space.
            "expected_regret": round(
                float(sum(s * past.regrets[place] for s, past in zip(shares, start.problems, strict=True))), 3
            ),
            "values": str(one.values),
            "changed": "; ".join(one.notes),
        }
        for place in places
        for one in (start.configurations[place],)
    ]
