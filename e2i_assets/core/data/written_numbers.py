"""Numbers as people and programs write them: decimal and thousands signs, money, per cent, units and durations."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Form = tuple[str, str | None]

_CURRENCY = (
    "[$€£¥₹₽₩฿₺₫]|US\\$|R\\$|USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|SEK|NOK|DKK|PLN|CZK|HUF|BRL|RUB|KRW|MXN|ZAR|TRY|Fr\\."
)
_SHAPE = (
    rf"^(?P<open>\(?)(?P<sign>[+-]?) ?(?P<before>(?:{_CURRENCY})?) ?(?P<inner>[+-]?)"
    r"(?P<body>(?:[0-9][0-9., '_]*[0-9][.,]?|[0-9][.,]?|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r" ?(?P<after>(?:[%‰]|[€£$¥₽]|kr|zł|Kč|°?[A-Za-zµ°²³/]{1,8})?)(?P<close>\)?)$"
)
_CLOCK = re.compile(r"(\d{1,6}):([0-5]\d)(?::([0-5]\d(?:[.,]\d+)?))?")
_SPAN = re.compile(
    r"P(?=[\dT])(?:\d+(?:[.,]\d+)?[YMWD])*(?:T(?:\d+(?:[.,]\d+)?[HMS])+)?|"
    r"(?:\d+(?:\.\d+)? ?(?:weeks?|w|days?|d|hours?|hrs?|h|minutes?|mins?|min|m|seconds?|secs?|s|ms) ?)+"
)
_EXPONENT = "(?:[eE][+-]?[0-9]+)?"
# Decimal sign and sign between groups; the plain ones first, since a plain reading wins where two agree.
FORMS: tuple[Form, ...] = (
    (".", None), (",", None), (".", ","), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'"), (".", "_"),
)  # fmt: skip
CURRENCIES = frozenset(_CURRENCY.replace("\\", "").replace("[", "").replace("]", "").split("|")) | set("$€£¥₹₽₩฿₺₫")
# Units that stand beside one another only where each cell has the one that suits its size, or its own currency.
ALIKE = (
    CURRENCIES,
    frozenset({"", "k", "K", "M", "m", "B", "b", "bn", "mn", "Mio", "Tsd", "Mrd"}),
    frozenset({"ug", "µg", "mg", "g", "kg", "t", "lb", "lbs", "oz"}),
    frozenset({"mm", "cm", "dm", "m", "km", "in", "ft", "yd", "mi"}),
    frozenset({"ul", "µl", "ml", "mL", "cl", "dl", "l", "L"}),
    frozenset({"B", "kB", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB"}),
    frozenset({"°C", "°F"}),
    frozenset({"%", "‰"}),
)
_SIGNS = str.maketrans({"\u2212": "-", "\u2019": "'", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u066b": "."})


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """Distinct texts, taken apart.

    Attributes:
        parts: Shape (texts, 6), empty where a text has not the shape of a number: open, sign, before, inner, after,
            close.
        bodies: Arrow texts: the digits with the signs between them.
        matches: By form, which texts are numbers in it.
        units: What stands beside each number.
        durations: Seconds of each text that is a duration in a form with signs or units, NaN elsewhere.
    """

    parts: pd.DataFrame
    bodies: Any
    matches: dict[Form, NDArray[np.bool_]]
    units: NDArray[Any]
    durations: NDArray[np.float64]

    def values(self, form: Form) -> NDArray[np.float64]:
        """Return the numbers of all texts that match a form, NaN elsewhere."""
        import pyarrow as pa
        import pyarrow.compute as pc

        decimal, thousands = form
        body = pc.if_else(pa.array(self.matches[form]), self.bodies, pa.scalar(None, pa.string()))
        if thousands is not None:
            body = pc.replace_substring(body, thousands, "")
        if decimal != ".":
            body = pc.replace_substring(body, decimal, ".")
        found = np.asarray(pc.cast(body, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
        negative = (self.parts["sign"] == "-") ^ (self.parts["inner"] == "-") ^ (self.parts["open"] == "(")
        return np.where(negative.to_numpy(), -found, found)


def looks_like_number(texts: Sequence[str]) -> NDArray[np.bool_]:
    """Return which texts have the shape of a number or of a duration."""
    import pyarrow as pa
    import pyarrow.compute as pc

    bare = _bare(texts)
    shaped = pc.match_substring_regex(pa.array(bare, pa.string()), _SHAPE).to_numpy(zero_copy_only=False)
    timed = np.array([bool(_CLOCK.fullmatch(one) or _SPAN.fullmatch(one)) for one in bare], dtype=bool)
    either: NDArray[np.bool_] = np.asarray(shaped, dtype=bool) | timed
    return either


def _bare(texts: Sequence[str]) -> list[str]:
    """Return texts without spaces around them; a lone surrogate, which Arrow cannot represent, becomes a ``?``."""
    return [one.strip().translate(_SIGNS).encode(errors="replace").decode() for one in texts]


def written(texts: Sequence[str]) -> Written:
    """Take distinct texts apart."""
    import pyarrow as pa
    import pyarrow.compute as pc

    bare = _bare(texts)
    found = pc.extract_regex(pa.array(bare, pa.string()), _SHAPE)
    names = ("open", "sign", "before", "inner", "body", "after", "close")
    columns = {name: pc.fill_null(pc.struct_field(found, name), "") for name in names}
    bodies = columns.pop("body")
    parts = pd.DataFrame({name: column.to_pandas() for name, column in columns.items()})
    whole = ((parts["open"] == "(") == (parts["close"] == ")")) & ~((parts["sign"] != "") & (parts["inner"] != ""))
    shaped = whole.to_numpy() & pc.not_equal(bodies, "").to_numpy(zero_copy_only=False)
    matches = {form: shaped & _in_form(bodies, form) for form in FORMS}
    units = (parts["before"] + parts["after"]).to_numpy()
    return Written(parts, bodies, matches, units, _durations(bare))


def _in_form(bodies: Any, form: Form) -> NDArray[np.bool_]:
    import pyarrow.compute as pc

    decimal, thousands = (re.escape(sign) if sign else "" for sign in form)
    plain = rf"[0-9]+(?:{decimal}[0-9]*)?|{decimal}[0-9]+"
    if thousands:
        # In India the groups above the thousands have two digits.
        groups = rf"[0-9]{{1,3}}(?:{thousands}[0-9]{{3}})+|[0-9]{{1,2}}(?:{thousands}[0-9]{{2}})+{thousands}[0-9]{{3}}"
        plain = rf"{plain}|(?:{groups})(?:{decimal}[0-9]*)?"
    matched = pc.match_substring_regex(bodies, rf"^(?:{plain}){_EXPONENT}$")
    return np.asarray(matched.to_numpy(zero_copy_only=False), dtype=bool)


def _durations(texts: Sequence[str]) -> NDArray[np.float64]:
    """Return the seconds of ``1:30:00``, ``90:00`` or ``1h 30m``; one unit for all cells is a number with a unit."""
    clocks = [_CLOCK.fullmatch(one) for one in texts]
    if any(clocks):
        three = [bool(one and one[3]) for one in clocks]
        # 90:00 beside 1:30:00 may be minutes or hours: only the larger part of a column has one meaning.
        with_seconds = sum(three) * 2 >= sum(map(bool, clocks))
        kept = [one if one and bool(one[3]) == with_seconds else None for one in clocks]
        return np.array([_clock_seconds(one) if one else np.nan for one in kept], dtype=np.float64)
    spans = [one if _SPAN.fullmatch(one) else None for one in texts]
    if not any(spans):
        return np.full(len(texts), np.nan)
    known = pd.to_timedelta(pd.Series(spans, dtype=object), errors="coerce")
    return np.asarray(known.dt.total_seconds().to_numpy(dtype=np.float64))


def _clock_seconds(clock: re.Match[str]) -> float:
    first, second, third = clock.groups()
    if third is None:
        return 60.0 * int(first) + int(second)
    return 3600.0 * int(first) + 60.0 * int(second) + float(third.replace(",", "."))
