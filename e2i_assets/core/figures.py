"""Numbers and texts for people.

A number has four significant digits, and no exponent unless it is extremely large or small.
"""

import math
from typing import Literal

Bound = Literal["minimum", "maximum"]
_DIGITS = 4  # significant
_MOST_DIGITS = 17
_LARGEST, _SMALLEST = 1e15, 1e-4


def rounded(value: float, digits: int = _DIGITS) -> float:
    """Return a number with four significant digits, or with another number of them."""
    return value if not math.isfinite(value) else float(f"{value:.{digits}g}")


def figure(value: float | None, digits: int = _DIGITS) -> str:
    """Return a number as text: ``0.9921``, ``12.3``, ``16,040,000``; None as ``-``."""
    if value is None:
        return "-"
    near = rounded(value, digits)
    if not math.isfinite(near) or near == 0:
        return f"{near:g}"
    if not _SMALLEST <= abs(near) < _LARGEST:
        return f"{near:.{digits}g}"
    decimals = max(digits - 1 - math.floor(math.log10(abs(near))), 0)
    text = f"{near:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def span(low: float | None, high: float | None, digits: int = _DIGITS) -> str:
    """Return an interval: ``0.62 to 0.71``; nothing without one."""
    return "" if low is None or high is None else f"{figure(low, digits)} to {figure(high, digits)}"


def share(value: float, digits: int = 3) -> str:
    """Return a share as a percentage: ``12.3 %``."""
    return f"{figure(100 * value, digits)} %"


def against(value: float | None, bound: Bound, limit: float, *, met: bool, unit: str = "") -> str:
    """Return a value beside the limit that it must keep: ``0.6732, required at least 0.75: missed``.

    It has more than four digits where it would look equal to the limit. With the unit ``%``, both are shares.
    """
    times = 100 if unit == "%" else 1
    least = f"{'at least' if bound == 'minimum' else 'at most'} {_with_unit(figure(times * limit), unit)}"
    if value is None:
        return f"not computed, required {least}: missed"
    shown = next(
        text
        for digits in range(_DIGITS, _MOST_DIGITS + 1)
        if (text := figure(times * value, digits)) != figure(times * limit) or value == limit or digits == _MOST_DIGITS
    )
    return f"{_with_unit(shown, unit)}, required {least}: {'met' if met else 'missed'}"


def _with_unit(text: str, unit: str) -> str:
    return f"{text} {unit}" if unit else text


def shortened(text: str, longest: int) -> str:
    """Return a text of at most ``longest`` characters, whose last three are dots if it was longer."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
